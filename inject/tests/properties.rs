//! What must hold for every pod: the patch applies, changes nothing else, and is empty the
//! second time; no annotation gives more than the policy allows.

#![allow(clippy::expect_used, reason = "these are tests")]

mod support;

use contract::{Key, Mode};
use inject::{Binaries, Entrypoint, Known, Outcome, Patch, Privileged, Settings, Target};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use support::{as_written, patched};

fn settings() -> Settings {
    Settings { image_pull_secrets: vec!["rich-pouch".to_owned()], ..support::settings() }
}

/// Any JSON, to stand where a field is that no library knows.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((".{0,6}", inner), 0..3)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// An object that says nothing of a medium.
fn some_object() -> BoxedStrategy<Value> {
    vec(("x-.{0,6}", anything()), 0..3)
        .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
        .boxed()
}

/// An object of fields that may each be there or not, and one that is unknown.
fn fields(known: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let known: Vec<_> = known
        .into_iter()
        .map(|(name, value)| option::of(value).prop_map(move |value| (name, value)))
        .collect();
    (known, option::of(("x-[a-z~/]{1,5}", anything())))
        .prop_map(|(known, unknown)| {
            let mut object: Map<String, Value> = known
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect();
            object.extend(unknown);
            object.into()
        })
        .boxed()
}

fn flag() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

fn user() -> BoxedStrategy<Value> {
    select(vec![0, 0, 0, 1000]).prop_map(Value::from).boxed()
}

fn words() -> BoxedStrategy<Value> {
    vec("[ -~]{0,6}", 1..4).prop_map(Value::from).boxed()
}

fn security_context() -> BoxedStrategy<Value> {
    fields(vec![
        ("privileged", flag()),
        ("allowPrivilegeEscalation", Just(json!(true)).boxed()),
        ("runAsUser", user()),
        ("runAsNonRoot", Just(json!(false)).boxed()),
        ("capabilities", Just(json!({"drop": ["ALL"]})).boxed()),
    ])
}

fn lifecycle() -> BoxedStrategy<Value> {
    let handler = prop_oneof![
        words().prop_map(|words| json!({"exec": {"command": words}})),
        (0..9).prop_map(|seconds| json!({"sleep": {"seconds": seconds}})),
    ];
    fields(vec![("preStop", handler.boxed()), ("postStart", anything().boxed())])
}

fn list(item: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 6 => vec(item, 0..3).prop_map(Value::from)].boxed()
}

fn container() -> impl Strategy<Value = Value> {
    let env = (select(vec!["A", "rich_mode", "PATH"]), ".{0,5}")
        .prop_map(|(name, value)| json!({"name": name, "value": value}));
    let mount = (select(vec!["data", "tmp"]), select(vec!["/data", "/run", "/var/run", "/tmp/"]))
        .prop_map(|(name, path)| json!({"name": name, "mountPath": path}));
    let cpu = prop_oneof![Just(json!("100m")), Just(json!(2)), Just(json!(0.5))];
    let amounts =
        cpu.prop_map(|cpu| json!({"cpu": cpu, "memory": "64Mi", "example.com/gpu": 1})).boxed();
    fields(vec![
        ("args", words()),
        ("env", list(env)),
        ("securityContext", security_context()),
        ("lifecycle", lifecycle()),
        ("volumeMounts", list(mount)),
        ("resources", fields(vec![("requests", amounts.clone()), ("limits", amounts)])),
        (
            "terminationMessagePath",
            select(vec!["/dev/termination-log", "/x$y"]).prop_map(Value::from).boxed(),
        ),
        ("livenessProbe", anything().boxed()),
    ])
    .prop_flat_map(|rest| {
        option::weighted(0.8, words()).prop_map(move |command| {
            let mut container = rest.clone();
            container["image"] = "i".into();
            if let Some(command) = command {
                container["command"] = command;
            }
            container
        })
    })
}

fn containers() -> BoxedStrategy<Value> {
    vec(container(), 1..4)
        .prop_map(|mut containers| {
            for (index, container) in containers.iter_mut().enumerate() {
                container["name"] = format!("c{index}").into();
            }
            containers.into()
        })
        .boxed()
}

fn annotations() -> impl Strategy<Value = Value> {
    let value = |values: &'static [&'static str]| select(values).prop_map(Value::from).boxed();
    (
        select(&Mode::ALL[..]),
        fields(vec![
            (Key::Initscript.name(), value(&["/a", "/a $HOME $(X) b", "/a  b"])),
            (Key::InitscriptTimeout.name(), value(&["30s", "1h1m"])),
            (Key::Poststop.name(), value(&["/z $$"])),
            (Key::Containers.name(), value(&["*", "c0", "c0,c0"])),
            (Key::Privileged.name(), value(&["true"])),
            (Key::Profile.name(), value(&["true", "false"])),
            ("kubectl.kubernetes.io/default-container", value(&["c0", "c1", "nope"])),
        ]),
    )
        .prop_map(|(mode, mut annotations)| {
            annotations["rich.pouch/mode"] = mode.name().into();
            // The API server lets annotations be text only.
            let members = annotations.as_object_mut().expect("an object");
            members.retain(|_, value| value.is_string());
            annotations
        })
}

fn pod() -> impl Strategy<Value = Value> {
    let volume = (select(vec!["data", "tmp"]), fields(vec![("emptyDir", some_object())])).prop_map(
        |(name, mut volume)| {
            volume["name"] = name.into();
            volume
        },
    );
    let spec = fields(vec![
        (
            "initContainers",
            list(container().prop_map(|mut it| {
                it["name"] = "setup".into();
                it
            })),
        ),
        ("volumes", list(volume)),
        ("securityContext", security_context()),
        ("hostPID", Just(json!(false)).boxed()),
        ("nodeSelector", Just(json!({"a": "b"})).boxed()),
        ("imagePullSecrets", list(Just(json!({"name": "theirs"})))),
        ("overhead", anything().boxed()),
    ]);
    (annotations(), spec, containers(), anything()).prop_map(
        |(annotations, mut spec, containers, unknown)| {
            spec["containers"] = containers;
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"generateName": "a-", "annotations": annotations, "x": unknown},
                "spec": spec,
                "status": unknown,
            })
        },
    )
}

fn judge(pod: &Value, settings: &Settings) -> Outcome {
    let judge = |known: &Known| {
        inject::judge(Target::Pod, &pod.to_string(), None, settings, known).expect("a pod")
    };
    let entrypoint = Entrypoint { entrypoint: vec!["$(A)".into()], cmd: vec!["b $c".into()] };
    let unknown = judge(&as_written()).lookup.images;
    let entrypoints = unknown.into_iter().map(|image| (image, Ok(entrypoint.clone()))).collect();
    judge(&Known { entrypoints, ..as_written() })
}

/// A pass that asks for no image again.
fn judge_knowing_nothing(pod: &Value, settings: &Settings) -> Outcome {
    let (text, known) = (pod.to_string(), as_written());
    inject::judge(Target::Pod, &text, None, settings, &known).expect("a pod")
}

fn binaries() -> impl Strategy<Value = Binaries> {
    select(vec![Binaries::InitContainer, Binaries::Image, Binaries::Node])
}

/// Takes out of an injected pod what the contract says was put in.
fn undone(mut pod: Value, before: &Value) -> Value {
    let ours = |item: &Value| {
        item["name"]
            .as_str()
            .is_some_and(|name| name == "rich-pouch" || name.starts_with("rich-pouch-"))
    };
    let mut drop_ours = |pointer: String, drop: &dyn Fn(&Value) -> bool| {
        if let Some(list) = pod.pointer_mut(&pointer).and_then(Value::as_array_mut) {
            list.retain(|item| !drop(item));
        }
    };
    let count = before["spec"]["containers"].as_array().map_or(0, Vec::len);
    drop_ours("/spec/volumes".into(), &ours);
    drop_ours("/spec/initContainers".into(), &ours);
    for index in 0..count {
        // A user's own of these names was replaced where it stood.
        let new_env = |item: &Value| is_mode_variable(item) && !users_own(before, index, item);
        drop_ours(format!("/spec/containers/{index}/volumeMounts"), &ours);
        drop_ours(format!("/spec/containers/{index}/env"), &new_env);
    }
    for index in 0..count {
        let was = &before["spec"]["containers"][index];
        let now = &mut pod["spec"]["containers"][index];
        restore(now, was, "command");
        for (now, was) in now["env"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .zip(was["env"].as_array().into_iter().flatten())
        {
            if is_mode_variable(was) {
                now.clone_from(was);
            }
        }
        restore(&mut now["securityContext"], &was["securityContext"], "privileged");
        restore(&mut now["lifecycle"], &was["lifecycle"], "preStop");
        for name in ["env", "volumeMounts", "securityContext", "lifecycle"] {
            restore_empty(now, was, name);
        }
    }
    restore(&mut pod["spec"]["nodeSelector"], &before["spec"]["nodeSelector"], "rich.pouch/ready");
    drop_secret(&mut pod);
    for name in ["volumes", "initContainers", "nodeSelector", "imagePullSecrets"] {
        restore_empty(&mut pod["spec"], &before["spec"], name);
    }
    let annotations = pod["metadata"]["annotations"].as_object_mut().expect("annotations");
    annotations.remove("rich.pouch/status");
    pod
}

fn drop_secret(pod: &mut Value) {
    if let Some(secrets) = pod["spec"]["imagePullSecrets"].as_array_mut() {
        secrets.retain(|it| it["name"] != "rich-pouch");
    }
}

fn is_mode_variable(item: &Value) -> bool {
    item["name"] == "rich_mode" || item["name"] == "rich_mode_launch_manner"
}

fn users_own(before: &Value, container: usize, item: &Value) -> bool {
    let users = before["spec"]["containers"][container]["env"].as_array();
    users.into_iter().flatten().any(|other| other["name"] == item["name"])
}

/// Puts one member back as it was.
fn restore(now: &mut Value, was: &Value, name: &str) {
    if let Some(now) = now.as_object_mut() {
        match was.get(name) {
            Some(value) => drop(now.insert(name.to_owned(), value.clone())),
            None => drop(now.remove(name)),
        }
    }
}

/// Puts back an empty list or object that was not there or was null.
fn restore_empty(now: &mut Value, was: &Value, name: &str) {
    let empty = now[name].is_null() || now[name] == json!([]) || now[name] == json!({});
    if empty {
        restore(now, was, name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_patch_applies_and_changes_nothing_else(before in pod(), binaries in binaries()) {
        let outcome = judge(&before, &Settings { binaries, ..settings() });
        if outcome.violations.is_empty() {
            prop_assert_ne!(&outcome.patch, &Patch::default());
            let after = patched(&before, &outcome);
            prop_assert_eq!(undone(after, &before), before);
        } else {
            prop_assert_eq!(&outcome.patch, &Patch::default());
        }
    }

    #[test]
    fn a_second_pass_is_empty(before in pod(), binaries in binaries()) {
        let settings = Settings { binaries, ..settings() };
        let outcome = judge(&before, &settings);
        prop_assume!(outcome.violations.is_empty());
        let after = patched(&before, &outcome);
        prop_assert_eq!(judge_knowing_nothing(&after, &settings), Outcome::default());
    }

    #[test]
    fn a_pass_with_other_settings_takes_the_place_of_the_first(
        before in pod(), first in binaries(), second in binaries(),
    ) {
        let outcome = judge(&before, &Settings { binaries: first, ..settings() });
        prop_assume!(outcome.violations.is_empty());
        let between = patched(&before, &outcome);
        let settings = Settings { binaries: second, ..settings() };
        let outcome = judge_knowing_nothing(&between, &settings);
        prop_assert_eq!(&outcome.violations, &[]);
        let after = patched(&between, &outcome);
        prop_assert_eq!(judge_knowing_nothing(&after, &settings), Outcome::default());
        let direct = patched(&before, &judge(&before, &settings));
        for list in ["volumes", "containers"] {
            prop_assert_eq!(&after["spec"][list], &direct["spec"][list]);
        }
        let ours = |pod: &Value| pod["spec"]["initContainers"].as_array().into_iter().flatten()
            .filter(|it| it["name"] == "rich-pouch").count();
        prop_assert_eq!(ours(&after), ours(&direct));
        prop_assert_eq!(undone(after, &before), before);
    }

    #[test]
    fn no_annotation_makes_a_container_privileged_against_the_policy(before in pod()) {
        // The namespace of `judge` has no label.
        for privileged in [Privileged::Never, Privileged::Labelled] {
            let policy = Settings { privileged, ..settings() };
            let after = patched(&before, &judge(&before, &policy));
            for (was, now) in before["spec"]["containers"].as_array().expect("containers").iter()
                .zip(after["spec"]["containers"].as_array().expect("containers"))
            {
                let privileged = |it: &Value| it["securityContext"]["privileged"] == json!(true);
                prop_assert_eq!(privileged(was), privileged(now));
            }
        }
    }

    #[test]
    fn a_dumb_init_pod_gains_no_privilege(before in pod()) {
        let mut before = before;
        before["metadata"]["annotations"]["rich.pouch/mode"] = json!("dumb-init");
        before["metadata"]["annotations"].as_object_mut().expect("an object").remove("rich.pouch/privileged");
        let after = patched(&before, &judge(&before, &settings()));
        for (was, now) in before["spec"]["containers"].as_array().expect("containers").iter()
            .zip(after["spec"]["containers"].as_array().expect("containers"))
        {
            prop_assert_eq!(&was["securityContext"], &now["securityContext"]);
        }
        prop_assert_eq!(&before["spec"]["securityContext"], &after["spec"]["securityContext"]);
    }

    #[test]
    fn no_json_makes_it_panic(object in anything(), annotations in annotations()) {
        let nested = json!({"metadata": {"annotations": annotations}, "spec": object});
        for (group, kind) in [("", "Pod"), ("apps", "Deployment"), ("batch", "CronJob"), ("apps.kruise.io", "CloneSet")] {
            let target = support::target(group, kind);
            let (object, nested) = (object.to_string(), nested.to_string());
            let known = Known::default();
            for (new, old) in [(&object, &nested), (&nested, &object)] {
                let _ = inject::judge(target, new, Some(old), &settings(), &known);
            }
        }
    }
}
