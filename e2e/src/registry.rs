//! A registry on the first node's address, with a certificate of its own and a password.

use std::{path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::{Mutex, MutexGuard},
};

use crate::kubectl::{cluster, cluster_command};

/// A port of the node that nothing else of the test cluster has.
const HOST: &str = "10.250.0.1:5443";
const CREDENTIALS: &str = "robot:secret";
/// The same as the registry's password file has it.
const PASSWORDS: &str = "robot:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// Debian's docker-registry, which ends with this value.
pub struct Registry {
    folder: PathBuf,
    child: Option<Mutex<Child>>,
}

impl Registry {
    /// Starts it, with nothing in it.
    pub async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("rich-pouch-e2e-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut registry = Self { folder, child: None };
        registry.certificate();
        registry.write("passwords", PASSWORDS);
        let path = |name: &str| registry.folder.join(name);
        let config = json!({
            "version": "0.1",
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": path("data")}},
            "http": {"addr": HOST, "tls": {"certificate": path("tls.crt"), "key": path("tls.key")}},
            "auth": {"htpasswd": {"realm": "test", "path": path("passwords")}},
        });
        registry.write("config.yml", &config.to_string());
        let config = registry.path("config.yml");
        let mut child = cluster_command(&["exec", "docker-registry", "serve", &config])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("docker-registry");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        registry.child = Some(Mutex::new(child));
        while !lines.next_line().await.expect("a log").expect("a start").contains("listening on") {}
        // Who does not read its log stops it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        registry
    }

    /// Puts one of the test cluster's images into it, under the same name.
    pub async fn push(&self, image: &str) {
        let archive = cluster(&["image-archive", image]).await;
        assert_eq!(archive.code, 0, "{}", archive.text);
        let from = format!("oci-archive:{}", archive.text.trim());
        let to = format!("docker://{HOST}/{image}:test");
        let trust = format!("--dest-cert-dir={}", self.path("trust"));
        let credentials = format!("--dest-creds={CREDENTIALS}");
        let skopeo = ["exec", "skopeo", "--insecure-policy", "copy", &trust, &credentials];
        let said = cluster(&[&skopeo[..], &[&from, &to]].concat()).await;
        assert_eq!(said.code, 0, "{}", said.text);
    }

    /// Stops it where it is: it takes connections, and answers no more.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    /// Ends it in the middle of whatever it does, and waits until it is gone: as long as it is not,
    /// its socket still takes connections.
    pub async fn kill(&self) {
        self.signal("KILL").await;
        self.child().await.wait().await.expect("its end");
    }

    async fn signal(&self, signal: &str) {
        let process = self.child().await.id().expect("a process").to_string();
        let sent = Command::new("kill").args(["-s", signal, &process]).status().await;
        assert!(sent.expect("kill").success(), "{signal}");
    }

    async fn child(&self) -> MutexGuard<'_, Child> {
        self.child.as_ref().expect("a process").lock().await
    }

    /// Its host and port.
    #[must_use]
    pub fn host(&self) -> &'static str {
        HOST
    }

    /// The certificate to trust.
    #[must_use]
    pub fn authority(&self) -> String {
        std::fs::read_to_string(self.folder.join("tls.crt")).expect("a certificate")
    }

    /// A Secret of this name, with which pods may pull from it.
    #[must_use]
    pub fn pull_secret(&self, name: &str) -> Value {
        let (username, password) = CREDENTIALS.split_once(':').expect("a password");
        let config = json!({"auths": {HOST: {"username": username, "password": password}}});
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": config.to_string()},
        })
    }

    /// A certificate that vouches for itself.
    fn certificate(&self) {
        let (address, _) = HOST.split_once(':').expect("a port");
        let made = rcgen::generate_simple_self_signed([address.to_owned()]).expect("a certificate");
        std::fs::create_dir_all(self.folder.join("trust")).expect("a folder");
        for name in ["tls.crt", "trust/ca.crt"] {
            self.write(name, &made.cert.pem());
        }
        self.write("tls.key", &made.signing_key.serialize_pem());
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).expect("a file");
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
