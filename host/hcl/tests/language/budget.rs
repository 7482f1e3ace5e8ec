//! What a template may cost in sum: bombs end with one error at their place, honest templates don't
//! notice.

use std::time::Duration;

use lvhost_hcl::{Severity, Value};
use proptest::prelude::*;

use super::world::{Loaded, World, file, inputs, load_inputs, load_template};
use super::yardstick::{computed, slowness};

/// Computing time, far more than any of these takes where nothing is optimised, and far less than what they
/// would take without a budget.
const PATIENCE: Duration = Duration::from_secs(20);

/// Computing time of this thread, as it would be on the machine that the bound was found on.
struct Watch(Duration);

impl Watch {
    fn start() -> Self {
        Self(computed())
    }

    fn elapsed(&self) -> Duration {
        (computed() - self.0).div_f64(slowness())
    }
}

/// The locals, and a large file and a template to be read.
fn load_bomb(locals: &str) -> Loaded {
    let mut world = World::new();
    let mut add = |name: &str, text: Vec<u8>| world.files.insert(name.into(), text);
    add("/project/large", b"abcd ".repeat(1 << 20));
    add("/project/large.json", json(1 << 20));
    add("/project/large.yaml", b"- 1\n".repeat(1 << 20));
    add("/project/large.csv", csv(1 << 19));
    add(
        "/project/loop.tmpl",
        b"%{ for a in n }%{ for b in n }%{ for c in n }x%{ endfor }%{ endfor }%{ endfor }".to_vec(),
    );
    load_inputs(&inputs(&format!("locals {{\n{locals}\n}}\n")), world)
}

fn json(count: usize) -> Vec<u8> {
    let mut text = b"[1".to_vec();
    text.extend(b",1".repeat(count));
    text.push(b']');
    text
}

fn csv(rows: usize) -> Vec<u8> {
    let mut text = b"a,b,c\n".to_vec();
    text.extend(b"1,2,3\n".repeat(rows));
    text
}

/// `b0 = […]`, `b1 = [local.b0, local.b0]` and so on: nothing to hold, and no end to walk.
fn doubled(count: usize, last: &str) -> String {
    let lines: Vec<String> = (1..count)
        .map(|at| format!("  b{at} = [local.b{0}, local.b{0}]", at - 1))
        .collect();
    let last = last.replace("LAST", &format!("local.b{}", count - 1));
    format!("  b0 = [1, 2]\n{}\n  x = {last}", lines.join("\n"))
}

const LARGE: &str = "  large = file(\"large\")\n  n = range(1000)\n";

fn bombs() -> Vec<(&'static str, String)> {
    let large = |expression: &str| format!("{LARGE}  x = {expression}");
    let mut bombs = vec![
        ("texts", large(r#"[for i in local.n : "${i}${local.large}"]"#)),
        ("joined", large(r#"[for i in local.n : join("", [local.large, i])]"#)),
        ("formatted", large(r#"[for i in local.n : format("%s%s", i, local.large)]"#)),
        ("shown as nothing", large(r#"[for i in local.n : format("%.0s", local.large)]"#)),
        ("formatted lists", large(r#"[for i in local.n : formatlist("%s%s", local.n, local.large)]"#)),
        ("upper case", large("[for i in local.n : upper(local.large)]")),
        ("split", large(r#"split("", local.large)"#)),
        ("split at blanks", large(r#"[for i in local.n : split(" ", local.large)]"#)),
        ("matches", large(r#"regexall(".", local.large)"#)),
        ("groups", large(r#"regexall("(.)(.)(.)(.)(.)(.)(.)", local.large)"#)),
        ("far-looking matches", large(r#"regexall(".*[^a-z ]|[a-z ]", local.large)"#)),
        ("expanded", large(r#"regex_replace(local.large, "a", local.large)"#)),
        ("expanded references", large(r#"regex_replace(local.large, ".*", "$0$0$0$0$0$0$0$0")"#)),
        ("replaced nothings", large(r#"replace(local.large, "", local.large)"#)),
        ("replaced in a loop", large(r#"[for i in local.n : replace(local.large, "a", "b")]"#)),
        ("large patterns", large(r#"[for i in local.n : regexall("([a-d]{1,60} ){9}", local.large)]"#)),
        ("too large patterns", large(r#"regexall("(\\pL{1,40}x){9}", local.large)"#)),
        ("indented", large(r#"[for i in local.n : indent(1000, replace(local.large, " ", "\n"))]"#)),
        ("trimmed", large("[for i in local.n : trim(local.large, local.large)]")),
        ("reversed", large("[for i in local.n : strrev(local.large)]")),
        ("parts", large("[for i in local.n : substr(local.large, -1, 1)]")),
        ("digests", large("[for i in local.n : sha512(local.large)]")),
        ("encoded", large("[for i in local.n : base64encode(local.large)]")),
        ("encoded texts", large(r#"[for i in local.n : textencodebase64(local.large, "UTF-16LE")]"#)),
        ("decoded texts", large(r#"[for i in local.n : textdecodebase64(base64encode(local.large), "gb18030")]"#)),
        ("compressed", large("[for i in local.n : base64gzip(local.large)]")),
        ("encoded files", r#"  x = [for i in range(1000) : filebase64("large")]"#.to_owned()),
        ("times", large(r#"[for i in local.n : legacy_strftime(replace(local.large, "a", "%B"))]"#)),
        ("parts of times", "  n = range(1000)\n  x = [for i in local.n : [for k in local.n : unix_timestamp_parse(k)]]".to_owned()),
        ("encoded for URLs", large("[for i in local.n : urlencode(local.large)]")),
        ("passwords", large(r#"[for i in local.n : bcrypt("x", 12)]"#)),
        ("decoded JSON", r#"  x = [for i in range(9) : jsondecode(file("large.json"))]"#.to_owned()),
        ("decoded YAML", r#"  x = [for i in range(9) : yamldecode(file("large.yaml"))]"#.to_owned()),
        ("decoded CSV", r#"  x = [for i in range(9) : csvdecode(file("large.csv"))]"#.to_owned()),
        ("laughing YAML", format!("  x = yamldecode({:?})", laughing())),
        ("files", r#"  x = [for i in range(1000) : file("large")]"#.to_owned()),
        ("loops", "  n = range(1000)\n  x = [for a in local.n : [for b in local.n : [for c in local.n : a]]]".to_owned()),
        ("loops in objects", "  n = range(1000)\n  x = {for a in local.n : a => {for b in local.n : b => {for c in local.n : c => a}}}".to_owned()),
        ("loops in texts", "  n = range(1000)\n  x = \"%{ for a in local.n }%{ for b in local.n }%{ for c in local.n }x%{ endfor }%{ endfor }%{ endfor }\"".to_owned()),
        ("loops in a file", "  x = templatefile(\"loop.tmpl\", {n = range(1000)})".to_owned()),
        ("tried loops", "  n = range(1000)\n  x = try([for a in local.n : [for b in local.n : [for c in local.n : a]]], 1)".to_owned()),
        ("tested loops", "  n = range(1000)\n  x = can([for a in local.n : [for b in local.n : [for c in local.n : a.b]]])".to_owned()),
        ("products", "  n = range(90)\n  x = [for i in local.n : setproduct(local.n, local.n, local.n)]".to_owned()),
        ("splats", "  n = [for i in range(1000) : {a = range(1000)}]\n  x = [for i in range(1000) : local.n[*].a]".to_owned()),
        ("conversions", "  n = [for i in range(1000) : range(100)]\n  x = [for i in range(1000) : convert(local.n, list(list(string)))]".to_owned()),
        ("attributes out of nothing", format!("  n = [for i in range(1000) : {{}}]\n  x = [for i in local.n : convert(local.n, list(object({{{}}})))]", (0..50).map(|at| format!("a{at} = optional(string)")).collect::<Vec<_>>().join(", "))),
        ("missing names", "  n = {for i in range(1000) : \"name-number-${i}\" => i}\n  x = [for i in range(1000) : can([for k in range(1000) : local.n[\"nam-number-x\"]])]".to_owned()),
        ("long numbers", "  n = range(1000)\n  x = [for a in local.n : [for b in local.n : \"${a / 7}${b / 7 * 1e-300}\"]]".to_owned()),
        ("numbers with long exponents", "  n = range(1000)\n  x = [for a in local.n : [for b in local.n : jsondecode(\"1e-4000\") * b + a]]".to_owned()),
        ("numbers as texts", "  n = range(1000)\n  x = [for a in local.n : [for b in local.n : format(\"%.999f%.999e%g\", a / 7, a / 7, b / 7)]]".to_owned()),
        ("branches", "  n = range(1000)\n  x = [for a in local.n : [for b in local.n : true ? local.n : [\"x\"]]]".to_owned()),
        ("branches that differ far inside", format!("  x = true ? {0}1{1} : {0}true{1}", "[".repeat(40), "]".repeat(40))),
        ("lines as YAML", large(r#"[for i in local.n : yamlencode([[[[replace(local.large, " ", "\n")]]]])]"#)),
        ("words as YAML", large("[for i in local.n : yamlencode([[[[local.large]]]])]")),
        ("references to groups", large(r#"regex_replace(local.large, "(?P<x>.)", "${join("", [for i in range(1000) : "$${x}"])}")"#)),
        ("literal patterns", large(r#"[for i in local.n : [for k in local.n : regexall("\\Q${join("", local.n)}${i}${k}\\E", "x")]]"#)),
        ("spread", "  n = range(1000)\n  x = [for i in local.n : [for k in local.n : concat([for j in local.n : local.n]...)]]".to_owned()),
    ];
    for (name, last) in [
        ("nested, and a function", "flatten(LAST)"),
        ("nested, and a length", "length(LAST)"),
        ("nested, and encoded", "jsonencode(LAST)"),
        ("nested, and encoded as YAML", "yamlencode(LAST)"),
        ("nested, and compared", "LAST == [LAST]"),
        ("nested, and found out", "contains(LAST, LAST)"),
        ("nested, and made a set", "convert(LAST, set(any))"),
        ("nested, and distinct", "distinct([LAST, LAST])"),
        ("nested, and formatted", r#"format("%#v", LAST)"#),
        ("nested, and nothing", "LAST"),
    ] {
        bombs.push((name, doubled(45, last)));
    }
    bombs
}

/// YAML whose aliases stand for each other.
fn laughing() -> String {
    let lines: Vec<String> = (1..12)
        .map(|at| format!("a{at}: &a{at} [{}]", format!("*a{},", at - 1).repeat(9)))
        .collect();
    format!("a0: &a0 [x, x]\n{}\n", lines.join("\n"))
}

/// What is wrong with how a bomb ends; nothing if all is well.
fn problem(loaded: &Loaded) -> Option<&'static str> {
    const EXPECTED: [&str; 5] = [
        "this takes too much to evaluate",
        "the value is too large",
        "the text gets too long",
        "exceeds size limit",
        "not YAML",
    ];
    let messages = loaded.messages();
    let errors = loaded.diagnostics.iter();
    let errors = errors.filter(|it| it.severity == Severity::Error).count();
    // What is refused at its place may go on and spend the budget.
    match errors {
        0 => Some("it is not noticed"),
        1 | 2 if !messages.contains("test.pkr.hcl:") => Some("it has no place"),
        1 | 2 if messages.contains("test.pkr.hcl:1:") => Some("it has another place"),
        1 | 2 if !EXPECTED.iter().any(|it| messages.contains(it)) => Some("it is something else"),
        1 | 2 => None,
        _ => Some("one mistake is one message"),
    }
}

#[test]
fn a_bomb_ends_with_an_error_at_its_place() {
    let mut wrong = Vec::new();
    for (name, locals) in bombs() {
        let watch = Watch::start();
        let loaded = load_bomb(&locals);
        let problem = problem(&loaded);
        let messages = loaded.messages();
        drop(loaded);
        let taken = watch.elapsed();
        println!("{name}: {taken:.1?}");
        if let Some(problem) = problem {
            wrong.push(format!("{name}: {problem}:\n{messages}"));
        }
        if taken > PATIENCE {
            wrong.push(format!("{name}: it takes {taken:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_value_that_is_nested_further_and_further_is_refused() {
    let lines: Vec<String> = (1..20_000)
        .map(|at| format!("  v{at} = [local.v{}]", at - 1))
        .collect();
    let loaded = load_bomb(&format!("  v0 = 1\n{}", lines.join("\n")));
    let messages = loaded.messages();
    assert!(
        messages.contains("the value is nested too deeply"),
        "{messages}"
    );
}

#[test]
fn what_is_around_values_is_paid_for_too() {
    let build = "source \"null\" \"x\" {\n  big = range(1000)\n}\n";
    let many = "for_each = [for i in range(1000) : range(1000)]";
    let provisioner = "  provisioner \"shell\" {\n    inline = [for a in range(1000) : [for b in range(100) : \"${a}${b}\"]]\n  }\n".repeat(20);
    for (name, text) in [
        (
            "blocks",
            format!(
                "source \"null\" \"x\" {{\n  dynamic \"a\" {{\n    {many}\n    content {{\n      dynamic \"b\" {{\n        for_each = a.value\n        content {{}}\n      }}\n    }}\n  }}\n}}\n"
            ),
        ),
        (
            "sources",
            format!(
                "{build}build {{\n  sources = [for i in range(1024) : \"source.null.x\"]\n}}\n"
            ),
        ),
        (
            "provisioners",
            format!("{build}build {{\n  sources = [\"source.null.x\"]\n{provisioner}}}\n"),
        ),
        (
            "syntax",
            format!("locals {{\n  x = [{}]\n}}\n", "1,".repeat(4 << 20)),
        ),
    ] {
        let watch = Watch::start();
        let loaded = load_template(&text);
        let messages = loaded.messages();
        let is_said = [
            "this takes too much to evaluate",
            "the file is too large to be read",
        ];
        assert!(
            is_said.iter().any(|it| messages.contains(it)),
            "{name}: {messages}"
        );
        assert!(messages.contains("test.pkr.hcl:"), "{name}: {messages}");
        assert!(
            watch.elapsed() < PATIENCE,
            "{name} takes {:?}",
            watch.elapsed()
        );
    }
}

#[test]
fn a_provisioner_has_a_budget_of_its_own_each_time() {
    let text = "source \"null\" \"x\" {}\nbuild {\n  sources = [\"source.null.x\"]\n  provisioner \"shell\" {\n    \
                inline = [for a in range(1000) : [for b in range(build.ID) : [for c in range(build.ID) : b]]]\n  }\n}\n";
    let document = load_template(text).document();
    let provisioner = &document.builds[0].provisioners[0];
    let source = document.sources[0].to_value();
    let build = |id: usize| Value::object([("ID", Value::from(id))]);
    for _ in 0..20 {
        assert!(provisioner.evaluate(&build(10), &source).is_ok());
    }
    let watch = Watch::start();
    let errors = provisioner.evaluate(&build(1000), &source).unwrap_err();
    let said: Vec<&str> = errors.iter().map(|error| error.summary.as_str()).collect();
    assert_eq!(said, ["this takes too much to evaluate"]);
    assert!(errors.iter().all(|error| error.span.is_some()));
    assert!(watch.elapsed() < PATIENCE);
    assert!(provisioner.evaluate(&build(10), &source).is_ok());
}

/// As long as it takes one by one, and no longer: each refers to the one before.
#[test]
fn ten_thousand_locals_are_nothing() {
    let lines: Vec<String> = (1..10_000)
        .map(|at| format!("  l{at} = \"${{length(local.l{})}}-{at}\"", at - 1))
        .collect();
    let text = format!(
        "locals {{\n  l0 = \"x\"\n{}\n  all = length(local)\n}}\n",
        lines.join("\n")
    );
    let watch = Watch::start();
    let _ = load_template(&text).document();
    let taken = watch.elapsed();
    assert!(taken < Duration::from_secs(2), "{taken:?}");
}

#[test]
fn honest_large_templates_do_not_notice() {
    let variables: String = (0..2_000)
        .map(|at| format!("variable \"v{at}\" {{\n  type = map(string)\n  default = {{a = \"{at}\", b = 1}}\n  validation {{\n    condition = length(var.v{at}) > 1\n    error_message = \"x\"\n  }}\n}}\n"))
        .collect();
    let build: String = (0..20)
        .map(|at| format!("  source \"source.null.x\" {{\n    name = \"s{at}\"\n  }}\n"))
        .collect();
    let provisioners = "  provisioner \"shell\" {\n    inline = [for n in range(100) : \"echo ${n} ${local.text}\"]\n  }\n".repeat(20);
    let text = format!(
        "{variables}\nlocals {{\n  \
         table = {{for a in range(300) : \"host-${{a}}\" => {{for b in range(30) : \"key-${{b}}\" => format(\"%03d.%d\", a, b)}}}}\n  \
         sorted = sort(flatten([for host in local.table : values(host)]))\n  \
         unique = distinct(concat(local.sorted, local.sorted))\n  \
         merged = [for name in keys(local.table) : merge(local.table[name], {{name = name}})]\n  \
         text = join(\"\\n\", slice(local.sorted, 0, 50))\n  \
         json = jsondecode(jsonencode(local.table))\n  \
         yaml = yamldecode(yamlencode(local.table))\n  \
         words = regexall(\"[a-z]+\", file(\"words\"))\n  \
         digest = sha256(base64encode(file(\"words\")))\n  \
         password = bcrypt(\"x\", 10)\n}}\n\
         source \"null\" \"x\" {{\n  user_data = file(\"user-data\")\n}}\n\
         build {{\n{build}{provisioners}}}\n"
    );
    let mut world = World::new();
    let mut add = |name: &str, text: Vec<u8>| world.files.insert(name.into(), text);
    add("/project/words", b"some words of a list\n".repeat(5_000));
    add("/project/user-data", vec![b'x'; 16 << 20]);
    let mut inputs = inputs(&text);
    inputs.variable_files = vec![file(
        "x.pkrvars.json",
        "{\"v1\": {\"a\": \"1\", \"b\": \"2\"}}",
    )];
    let document = load_inputs(&inputs, world).document();
    assert_eq!(document.builds[0].sources.len(), 20);
}

/// Expressions out of what multiplies: loops, functions that make more than they are given, and
/// values that hold each other.
pub(super) fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "\"abc def\"",
        "range(300)",
        "local.a",
        "local.b",
        "[1, \"x\", null]",
        "{a = 1, b = [2]}",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(6, 40, 3, |inner| {
            let one = prop::sample::select(vec![
                "[for i in range(200) : E]",
                "{for i in range(200) : i => E}",
                "\"%{ for i in range(200) }${try(\"${E}\", \"x\")}%{ endfor }\"",
                "jsonencode(E)",
                "yamlencode(E)",
                "flatten([E, E])",
                "format(\"%v%v\", E, E)",
                "try(upper(E), E)",
                "[E, E, E]",
                "length([E])",
                "distinct([E, E])",
                "try(split(\"\", E), [E])",
                "try(regexall(\"(.)(.)\", E), E)",
                "try(replace(E, \"\", \"xxxxxxxx\"), E)",
                "can(E.a.b)",
                "E == E",
            ]);
            let two = prop::sample::select(vec![
                "concat([E], [F])",
                "try(setproduct(E, F), [F])",
                "{a = E, b = F}",
                "true ? E : F",
                "try(merge(E, F), E)",
                "try(zipmap(E, F), E)",
                "try(join(F, E), F)",
                "try(contains(E, F), F)",
            ]);
            prop_oneof![
                (one, inner.clone()).prop_map(|(form, e)| form.replace('E', &e)),
                (two, inner.clone(), inner).prop_map(|(form, e, f)| form
                    .replace('F', "\u{0}")
                    .replace('E', &e)
                    .replace('\u{0}', &f)),
            ]
        })
}

/// A program of three locals, each of which may refer to those before it.
pub(super) fn program(a: &str, b: &str, x: &str) -> String {
    let a = a.replace("local.a", "1").replace("local.b", "2");
    let b = b.replace("local.b", "1");
    format!("locals {{\n  a = {a}\n  b = {b}\n  x = {x}\n}}\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a program asks for: it ends in time, with values or with an error.
    #[test]
    fn random_programs_stay_within_the_budget(a in expression(), b in expression(), x in expression()) {
        let text = program(&a, &b, &x);
        let watch = Watch::start();
        let loaded = load_template(&text);
        let _ = loaded.messages();
        drop(loaded);
        prop_assert!(watch.elapsed() < PATIENCE, "{text}");
    }
}
