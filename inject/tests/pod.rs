//! What comes out for a pod, and what is refused.

#![allow(clippy::expect_used, reason = "these are tests")]

mod support;

use inject::{Known, Namespace, Privileged, Settings, Target};
use serde_json::{Value, json};
use support::{codes, injected, judge, patched, pod, refused, settings};

#[test]
fn a_pod_without_our_annotations_is_left_alone() {
    assert_eq!(judge(&pod(&[("example.com/x", "y")])), inject::Outcome::default());
    assert_eq!(judge(&json!({"spec": {"containers": []}})), inject::Outcome::default());
}

#[test]
fn a_dumb_init_pod_comes_out_as_the_contract_says() {
    let rich = injected(&pod(&[
        ("rich.pouch/mode", "dumb-init"),
        ("rich.pouch/initscript", "/opt/prepare.sh $HOME"),
    ]));
    let status: Value = serde_json::from_str(
        rich["metadata"]["annotations"]["rich.pouch/status"].as_str().unwrap(),
    )
    .unwrap();
    assert_eq!(status, json!({"version": env!("CARGO_PKG_VERSION"), "containers": ["app"]}));
    assert_eq!(
        rich["spec"],
        json!({
            "initContainers": [{
                "name": "rich-pouch",
                "image": "registry.example/rich-pouch:1",
                "command": ["/rich", "install", "/.rich"],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "privileged": false,
                    "readOnlyRootFilesystem": true,
                    "runAsGroup": 65532,
                    "runAsNonRoot": true,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "volumeMounts": [{"name": "rich-pouch", "mountPath": "/.rich"}],
            }],
            "containers": [{
                "name": "app",
                "image": "busybox",
                "command": [
                    "/.rich/rich", "run", "--mode=dumb-init",
                    "--initscript=/opt/prepare.sh $$HOME", "--", "sleep",
                ],
                "args": ["10000"],
                "env": [
                    {"name": "rich_mode", "value": "true"},
                    {"name": "rich_mode_launch_manner", "value": "dumb-init"},
                ],
                "volumeMounts": [{"name": "rich-pouch", "mountPath": "/.rich", "readOnly": true}],
            }],
            "volumes": [{"name": "rich-pouch", "emptyDir": {"sizeLimit": "8Mi"}}],
        })
    );
}

#[test]
fn systemd_and_sbin_init_get_privilege_a_run_and_a_graceful_stop() {
    for mode in ["systemd", "sbin-init"] {
        let before = pod(&[("rich.pouch/mode", mode)]);
        let rich = injected(&before);
        let app = &rich["spec"]["containers"][0];
        assert_eq!(app["securityContext"], json!({"privileged": true}));
        assert_eq!(
            app["lifecycle"],
            json!({"preStop": {"exec": {"command": ["/.rich/rich", "stop"]}}})
        );
        assert_eq!(
            app["volumeMounts"][1],
            json!({"name": "rich-pouch-run-app", "mountPath": "/run"})
        );
        assert_eq!(rich["spec"]["volumes"][1]["emptyDir"]["medium"], "Memory");
        assert_eq!(
            judge(&before).warnings,
            [format!("rich.pouch/mode {mode} makes container \"app\" privileged")]
        );
    }
}

#[test]
fn a_users_own_run_is_kept() {
    for path in ["/run", "/run/", "/var/run"] {
        let mut before = pod(&[("rich.pouch/mode", "systemd")]);
        before["spec"]["volumes"] = json!([{"name": "mine", "emptyDir": {}}]);
        before["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "mine", "mountPath": path}]);
        let rich = injected(&before);
        assert_eq!(rich["spec"]["volumes"].as_array().unwrap().len(), 2, "{path}");
        let mounts = rich["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
        assert_eq!(mounts.len(), 2, "{path}");
    }
}

#[test]
fn a_users_pre_stop_is_joined_to_ours() {
    for (theirs, joined) in [
        (
            json!({"exec": {"command": ["bye", "$x"]}}),
            json!(["/.rich/rich", "stop", "--", "bye", "$x"]),
        ),
        (json!({"sleep": {"seconds": 5}}), json!(["/.rich/rich", "stop", "--sleep=5s"])),
    ] {
        let mut before = pod(&[("rich.pouch/mode", "systemd")]);
        before["spec"]["containers"][0]["lifecycle"] =
            json!({"preStop": theirs, "postStart": {"exec": {"command": ["hi"]}}});
        let lifecycle = &injected(&before)["spec"]["containers"][0]["lifecycle"];
        assert_eq!(lifecycle["preStop"], json!({"exec": {"command": joined}}));
        assert_eq!(lifecycle["postStart"], json!({"exec": {"command": ["hi"]}}));
    }
}

#[test]
fn the_containers_are_those_that_were_named() {
    let mut several = pod(&[("rich.pouch/mode", "dumb-init")]);
    several["spec"]["containers"] = json!([
        {"name": "a", "command": ["a"]}, {"name": "b", "command": ["b"]}, {"name": "c", "command": ["c"]},
    ]);
    let rich = |annotations: &[(&str, &str)]| -> String {
        let mut pod = several.clone();
        for (name, value) in annotations {
            pod["metadata"]["annotations"][*name] = json!(value);
        }
        let pod = injected(&pod);
        let containers = pod["spec"]["containers"].as_array().unwrap();
        let rich = containers.iter().filter(|it| it["command"][0] == "/.rich/rich");
        rich.map(|it| it["name"].as_str().unwrap()).collect()
    };
    assert_eq!(rich(&[]), "a");
    assert_eq!(rich(&[("kubectl.kubernetes.io/default-container", "b")]), "b");
    assert_eq!(rich(&[("rich.pouch/containers", "*")]), "abc");
    assert_eq!(rich(&[("rich.pouch/containers", "c, a,c")]), "ac");
}

#[test]
fn a_container_that_the_pod_lacks_is_refused_with_those_it_has() {
    let pod = pod(&[("rich.pouch/mode", "dumb-init"), ("rich.pouch/containers", "web")]);
    assert_eq!(refused(&pod), ["rich.pouch/containers names web, which the pod lacks: it has app"]);
}

#[test]
fn a_pod_whose_pid_1_would_not_be_ours_is_refused() {
    for (field, value, code) in [
        ("hostPID", json!(true), "host-pid"),
        ("shareProcessNamespace", json!(true), "share-process-namespace"),
        ("os", json!({"name": "windows"}), "windows"),
        ("nodeSelector", json!({"kubernetes.io/os": "windows"}), "windows"),
    ] {
        let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
        pod["spec"][field] = value;
        assert_eq!(codes(&judge(&pod)), [code]);
        assert!(refused(&pod)[0].starts_with(&format!("spec.{field}")), "{:?}", refused(&pod));
    }
}

#[test]
fn a_container_without_a_command_is_refused() {
    let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    for command in [Value::Null, json!([])] {
        pod["spec"]["containers"][0]["command"] = command;
        assert_eq!(codes(&judge(&pod)), ["no-command"]);
    }
}

#[test]
fn systemd_in_a_container_that_may_not_be_privileged_is_refused() {
    for field in ["privileged", "allowPrivilegeEscalation"] {
        let mut pod = pod(&[("rich.pouch/mode", "systemd")]);
        pod["spec"]["containers"][0]["securityContext"] = json!({field: false});
        let said = refused(&pod);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with(&format!(
                "spec.containers[0].securityContext.{field} is false: \
                 must using privileged mode when create systemd rich container"
            )),
            "{said:?}"
        );
    }
}

#[test]
fn privilege_is_refused_where_the_policy_says_never() {
    let never = Settings { privileged: Privileged::Never, ..settings() };
    let judge = |pod: &Value| {
        let known = Known::default();
        codes(&inject::judge(Target::Pod, &pod.to_string(), None, &never, &known).unwrap())
            .join(" ")
    };
    let forbidden = "policy-forbids-privileged";
    assert_eq!(judge(&pod(&[("rich.pouch/mode", "systemd")])), forbidden);
    let asked = pod(&[("rich.pouch/mode", "dumb-init"), ("rich.pouch/privileged", "true")]);
    assert_eq!(judge(&asked), forbidden);
    assert_eq!(judge(&pod(&[("rich.pouch/mode", "dumb-init")])), "");
    let mut privileged = pod(&[("rich.pouch/mode", "systemd")]);
    privileged["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    assert_eq!(judge(&privileged), "");
}

#[test]
fn privilege_is_granted_by_the_label_of_the_namespace_where_the_policy_says_labelled() {
    let labelled = Settings { privileged: Privileged::Labelled, ..settings() };
    let judge = |labels: &[(&str, &str)]| {
        let namespace = Namespace::of(labels.iter().copied());
        let known = Known { namespace, ..Known::default() };
        let pod = pod(&[("rich.pouch/mode", "systemd")]).to_string();
        inject::judge(Target::Pod, &pod, None, &labelled, &known).unwrap()
    };
    assert!(judge(&[("rich.pouch/allow-privileged", "true")]).violations.is_empty());
    for labels in [&[][..], &[("rich.pouch/allow-privileged", "false")]] {
        let refused = judge(labels);
        assert_eq!(codes(&refused), ["policy-forbids-privileged"]);
        let sentence = refused.violations[0].to_string();
        assert!(
            sentence.contains("lacks the label rich.pouch/allow-privileged=true"),
            "{sentence}"
        );
    }
}

#[test]
fn systemd_as_another_user_than_root_is_refused() {
    for (at_pod, at_container, fields) in [
        (json!({"runAsUser": 7}), json!({}), vec!["spec.securityContext.runAsUser"]),
        (json!({"runAsUser": 7}), json!({"runAsUser": 0}), vec![]),
        (json!({"runAsNonRoot": true}), json!({"runAsNonRoot": false}), vec![]),
        (
            json!({}),
            json!({"runAsNonRoot": true, "runAsUser": 7}),
            vec![
                "spec.containers[0].securityContext.runAsNonRoot",
                "spec.containers[0].securityContext.runAsUser",
            ],
        ),
    ] {
        let mut pod = pod(&[("rich.pouch/mode", "systemd")]);
        pod["spec"]["securityContext"] = at_pod;
        pod["spec"]["containers"][0]["securityContext"] = at_container;
        let found: Vec<_> = judge(&pod).violations.into_iter().map(|it| it.field).collect();
        assert_eq!(found, fields);
        pod["metadata"]["annotations"]["rich.pouch/mode"] = json!("dumb-init");
        assert_eq!(refused(&pod), [""; 0]);
    }
}

#[test]
fn a_pre_stop_of_the_kubelets_is_refused_with_systemd() {
    for kind in ["httpGet", "tcpSocket"] {
        let mut pod = pod(&[("rich.pouch/mode", "systemd")]);
        pod["spec"]["containers"][0]["lifecycle"] = json!({"preStop": {kind: {"port": 80}}});
        assert_eq!(codes(&judge(&pod)), ["prestop-not-composable"]);
    }
}

#[test]
fn what_is_reserved_is_refused() {
    let cases = [
        ("/volumes", json!([{"name": "rich-pouch", "hostPath": {"path": "/"}}])),
        ("/volumes", json!([{"name": "rich-pouch-run-app", "emptyDir": {}}])),
        ("/volumes", json!([{"name": "rich-pouch", "emptyDir": {"medium": "Memory"}}])),
        ("/initContainers", json!([{"name": "rich-pouch", "command": ["sh"]}])),
        ("/containers/0/volumeMounts", json!([{"name": "mine", "mountPath": "/.rich/rich"}])),
        ("/containers/0/volumeMounts", json!([{"name": "rich-pouch-run-b", "mountPath": "/x"}])),
        (
            "/initContainers",
            json!([{"name": "a", "volumeMounts": [
            {"name": "rich-pouch-run-app", "mountPath": "/x"}]}]),
        ),
        ("/containers/0/volumeDevices", json!([{"name": "mine", "devicePath": "/.rich/rich"}])),
        ("/containers/0/terminationMessagePath", json!("/.rich/rich")),
    ];
    for (at, value) in cases {
        let mut pod = pod(&[("rich.pouch/mode", "systemd")]);
        let (parent, name) = at.rsplit_once('/').unwrap();
        pod["spec"].pointer_mut(parent).unwrap()[name] = value;
        assert_eq!(codes(&judge(&pod)), ["reserved"], "{at}");
    }
}

#[test]
fn a_path_of_ours_is_reserved_in_every_spelling() {
    for path in [
        "/.rich",
        "/.rich/",
        "//.rich",
        "/./.rich",
        "/a/../.rich",
        "/.rich/../.rich",
        ".rich",
        "/.rich//rich",
        "/../.rich",
    ] {
        let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
        let container = &mut pod["spec"]["containers"][0];
        container["volumeMounts"] = json!([{"name": "mine", "mountPath": path}]);
        assert_eq!(codes(&judge(&pod)), ["reserved"], "{path}");
        pod["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "rich-pouch", "mountPath": path, "readOnly": true}]);
        let mounts = &injected(&pod)["spec"]["containers"][0]["volumeMounts"];
        let added = usize::from(path.ends_with("/rich"));
        assert_eq!(mounts.as_array().unwrap().len(), 1 + added, "{path}");
    }
    for path in ["/.richer", "/a/.rich", "/.rich/.."] {
        let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "m", "mountPath": path}]);
        assert_eq!(codes(&judge(&pod)), [""; 0], "{path}");
    }
}

/// A systemd pod that mounts a volume there, and has another container.
fn with_run(volume: Value, path: &str) -> Value {
    let mut pod = pod(&[("rich.pouch/mode", "systemd")]);
    let mut volume = volume;
    volume["name"] = "mine".into();
    pod["spec"]["volumes"] = json!([volume, {"name": "other", "emptyDir": {}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "mine", "mountPath": path}]);
    let side = json!({"name": "side", "image": "i",
                      "volumeMounts": [{"name": "other", "mountPath": "/run"}]});
    pod["spec"]["containers"].as_array_mut().expect("containers").push(side);
    pod
}

#[test]
fn run_is_shared_with_nobody() {
    let host = json!({"hostPath": {"path": "/run"}});
    let claim = json!({"persistentVolumeClaim": {"claimName": "a"}});
    for path in ["/run", "/run/", "/var/run", "//run", "/var/../run"] {
        for volume in [&host, &claim] {
            let said = refused(&with_run(volume.clone(), path));
            assert_eq!(
                said,
                ["spec.containers[0].volumeMounts[0] mounts the volume mine (no emptyDir) at \
                  /run, which systemd needs for itself alone: mount an emptyDir there that no \
                  other container mounts, or nothing"]
            );
        }
        let mine = with_run(json!({"emptyDir": {}}), path);
        assert_eq!(codes(&judge(&mine)), [""; 0], "{path}");
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            let mut shared = mine.clone();
            let another = json!({"name": "b", "image": "i", "command": ["c"],
                                 "volumeMounts": [{"name": "mine", "mountPath": "/x"}]});
            match shared["spec"][list].as_array_mut() {
                Some(containers) => containers.push(another),
                None => shared["spec"][list] = json!([another]),
            }
            assert_eq!(codes(&judge(&shared)), ["run-shared"], "{list}");
            shared["metadata"]["annotations"]["rich.pouch/mode"] = "dumb-init".into();
            assert_eq!(codes(&judge(&shared)), [""; 0]);
        }
    }
    // What is below it is the user's.
    for path in ["/run/mine", "/var/run/mine", "/running"] {
        assert_eq!(codes(&judge(&with_run(host.clone(), path))), [""; 0], "{path}");
    }
    // A container may mount its own twice.
    let mut twice = with_run(json!({"emptyDir": {}}), "/run");
    twice["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "mine", "mountPath": "/run"}, {"name": "mine", "mountPath": "/x"}]);
    assert_eq!(codes(&judge(&twice)), [""; 0]);
}

#[test]
fn everything_that_is_wrong_is_listed_at_once() {
    let mut pod = pod(&[
        ("rich.pouch/mode", "systemd"),
        ("rich.pouch/initscript", "x"),
        ("rich.pouch/privileged", "false"),
    ]);
    pod["spec"]["hostPID"] = json!(true);
    pod["spec"]["containers"][0]["command"] = json!([]);
    assert_eq!(
        codes(&judge(&pod)),
        ["path-not-absolute", "needs-privileged", "host-pid", "no-command"]
    );
}

#[test]
fn a_pod_that_was_injected_with_another_mode_is_made_anew() {
    let mut rich = injected(&pod(&[("rich.pouch/mode", "dumb-init")]));
    rich["metadata"]["annotations"]["rich.pouch/mode"] = json!("systemd");
    rich["spec"]["initContainers"][0]["image"] = json!("registry.example/rich-pouch:0");
    let again = injected(&rich);
    let app = &again["spec"]["containers"][0];
    assert_eq!(app["command"], json!(["/.rich/rich", "run", "--mode=systemd", "--", "sleep"]));
    assert_eq!(app["env"][1]["value"], "systemd");
    assert_eq!(again["spec"]["initContainers"][0]["image"], "registry.example/rich-pouch:1");
    assert_eq!(again["spec"]["initContainers"].as_array().unwrap().len(), 1);
}

#[test]
fn a_variable_of_ours_is_found_however_its_name_is_written() {
    let mut before = pod(&[("rich.pouch/mode", "dumb-init")]);
    before["spec"]["containers"][0]["env"] = json!([
        {"name": "PATH", "value": "/bin"},
        {"name": "rich_mode", "value": "false"},
    ]);
    let plain = before.to_string();
    for text in [plain.clone(), plain.replace("\"rich_mode", r#""\u0072ich_m\u006fde"#)] {
        let outcome = inject::judge(Target::Pod, &text, None, &settings(), &Known::default());
        assert_eq!(
            patched(&before, &outcome.unwrap())["spec"]["containers"][0]["env"],
            json!([
                {"name": "PATH", "value": "/bin"},
                {"name": "rich_mode", "value": "true"},
                {"name": "rich_mode_launch_manner", "value": "dumb-init"},
            ])
        );
    }
}

#[test]
fn a_second_pass_reads_no_more_than_the_first() {
    let mut before = pod(&[("rich.pouch/mode", "dumb-init")]);
    before["spec"]["containers"][0]["env"] = json!(["no variable"]);
    let once = injected(&before);
    assert_eq!(injected(&once), once);
}

#[test]
fn the_init_container_asks_for_the_cpu_and_memory_of_the_first_rich_container() {
    let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    pod["spec"]["containers"][0]["resources"] = json!({
        "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
        "limits": {"memory": "2Gi", "example.com/gpu": 1},
    });
    assert_eq!(
        injected(&pod)["spec"]["initContainers"][0]["resources"],
        json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}})
    );
}

#[test]
fn a_termination_message_path_of_the_users_is_told_to_the_launcher() {
    let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    for path in ["/tmp/why", "tmp/./why"] {
        pod["spec"]["containers"][0]["terminationMessagePath"] = json!(path);
        let rich = injected(&pod);
        assert_eq!(rich["spec"]["containers"][0]["command"][3], "--termination-log=/tmp/why");
        assert_eq!(patched(&rich, &judge(&rich)), rich);
    }
    pod["spec"]["containers"][0]["terminationMessagePath"] = json!("/dev//termination-log");
    assert_eq!(injected(&pod)["spec"]["containers"][0]["command"][3], "--");
}

#[test]
fn what_is_no_pod_is_an_error() {
    let env = r#"{"spec": {"containers": [{"env": {}}]}}"#;
    for text in ["", "7", "{\"spec\": 1}", "{\"spec\": {\"containers\": {}}}", env] {
        let known = Known::default();
        let error = inject::judge(Target::Pod, text, None, &settings(), &known).unwrap_err();
        assert!(error.to_string().starts_with("the Pod cannot be read: "), "{error}");
    }
}

#[test]
fn an_array_is_no_object() {
    let whole = pod(&[("rich.pouch/mode", "systemd")]);
    for place in [
        "/metadata",
        "/spec",
        "/spec/containers/0",
        "/spec/containers/0/securityContext",
        "/spec/containers/0/lifecycle",
        "/spec/containers/0/lifecycle/preStop",
        "/spec/containers/0/resources/limits",
    ] {
        let mut pod = whole.clone();
        let container = &mut pod["spec"]["containers"][0];
        container["securityContext"] = json!({});
        container["lifecycle"] = json!({"preStop": {}});
        container["resources"] = json!({"limits": {}});
        judge(&pod);
        *pod.pointer_mut(place).unwrap() = json!([]);
        let known = Known::default();
        let judged = inject::judge(Target::Pod, &pod.to_string(), None, &settings(), &known);
        assert!(judged.is_err(), "{place}: {judged:?}");
    }
}
