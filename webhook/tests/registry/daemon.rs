//! A docker-registry in a folder of its own, gone with it.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use serde_json::{Value, json};
use webhook::certificate::authority::Material;

pub(crate) const USER: &str = "robot";
pub(crate) const PASSWORD: &str = "secret";
/// USER and PASSWORD as the registry's password file has them.
const PASSWORDS: &str = "robot:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A running registry.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: Folder,
}

/// A folder that is gone with its value.
pub(crate) struct Folder(PathBuf);

/// The CA of all tests, and a certificate for the loopback.
pub(crate) fn material() -> &'static Material {
    static MATERIAL: OnceLock<Material> = OnceLock::new();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    MATERIAL.get_or_init(|| Material::make(&names, SystemTime::now()).unwrap())
}

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("rich-pouch-registry-{process}-{count}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where a registry keeps what was pushed.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Daemon {
    /// A registry that gives everything to everybody.
    pub(crate) fn open() -> Self {
        Self::start(Folder::new(), &json!({}))
    }

    /// A registry that wants USER's PASSWORD.
    pub(crate) fn with_passwords() -> Self {
        Self::in_folder_with_passwords(Folder::new(), json!({}))
    }

    /// The same, which sends who wants a blob to this address, where its data folder is served.
    pub(crate) fn with_passwords_and_blobs_at(folder: Folder, address: &str) -> Self {
        let redirect = json!({"name": "redirect", "options": {"baseurl": address}});
        Self::in_folder_with_passwords(folder, json!({"middleware": {"storage": [redirect]}}))
    }

    fn in_folder_with_passwords(folder: Folder, mut config: Value) -> Self {
        let path = folder.write("passwords", PASSWORDS);
        config["auth"] = json!({"htpasswd": {"realm": "test", "path": path}});
        Self::start(folder, &config)
    }

    /// A registry that wants tokens of the server at this address, signed by `material`.
    pub(crate) fn with_tokens(realm: &str, service: &str, issuer: &str) -> Self {
        let folder = Folder::new();
        let bundle = folder.write("issuer.pem", &material().authority);
        let token = json!({"realm": realm, "service": service, "issuer": issuer,
                           "rootcertbundle": bundle});
        Self::start(folder, &json!({"auth": {"token": token}}))
    }

    fn start(folder: Folder, more: &Value) -> Self {
        let certificate = folder.write("tls.crt", &material().serving);
        let key = folder.write("tls.key", &material().serving_key);
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "info", "formatter": "json"},
            "storage": {"filesystem": {"rootdirectory": folder.data()}},
            "http": {"addr": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}},
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = folder.write("config.yml", &config.to_string());
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry: run .ci/install docker-registry=docker-registry");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("a registry that listens").unwrap();
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            let message = entry["msg"].as_str().unwrap_or_default();
            if let Some(rest) = message.strip_prefix("listening on ") {
                break rest.split(',').next().unwrap().parse().unwrap();
            }
        };
        // Who does not read its log stops it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, _folder: folder }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
