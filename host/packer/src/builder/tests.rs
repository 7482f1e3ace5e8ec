//! How options arrive, in bytes that Packer 1.16.0 has sent.

use super::*;
use crate::msgpack::decode;
use crate::value::Number;

#[test]
fn a_block_in_hcl_comes_with_packers_own_map_before_it() {
    let block = br#"{"value":{"arch":null,"vcpu":2,"name":"a\u003cb","volume":[{"size":"1G"}]},"type":["object",{}]}"#;
    let mut argument = Encoder::default();
    argument.map(1).str("Configs").array(2);
    argument
        .map(2)
        .str("packer_debug")
        .str("false")
        .str("packer_build_name")
        .str("a");
    let argument = argument.bin(block).finish();
    let configs = configs(decode(&argument).unwrap()).unwrap();
    let [packer, hcl] = &configs[..] else {
        panic!("{configs:?}")
    };
    assert_eq!(packer.origin, Origin::Packer);
    assert_eq!(packer.values["packer_debug"], "false".into());
    assert_eq!(hcl.origin, Origin::Hcl);
    assert_eq!(hcl.values["arch"], Value::Null);
    assert_eq!(hcl.values["vcpu"], Value::from(2));
    assert_eq!(hcl.values["name"], "a<b".into());
    let volume = hcl.values["volume"].as_list().unwrap()[0].as_map().unwrap();
    assert_eq!(volume["size"], "1G".into());
}

#[test]
fn a_json_template_comes_as_it_is_written() {
    let mut argument = Encoder::default();
    argument.map(1).str("Configs").array(2);
    argument
        .map(3)
        .str("memory")
        .float(512.0)
        .str("arch")
        .str("{{user `a`}}");
    argument.str("nvram_path").nil();
    argument
        .map(2)
        .str("packer_debug")
        .bool(false)
        .str("packer_user_variables")
        .nil();
    let configs = configs(decode(&argument.finish()).unwrap()).unwrap();
    assert_eq!(configs.len(), 2);
    assert!(configs.iter().all(|config| config.origin == Origin::Packer));
    assert_eq!(
        configs[0].values["memory"],
        Value::Number(Number::Float(512.0))
    );
    assert_eq!(configs[0].values["arch"], "{{user `a`}}".into());
    assert_eq!(configs[0].values["nvram_path"], Value::Null);
    assert_eq!(configs[1].values["packer_debug"], Value::Bool(false));
}

#[test]
fn options_that_are_nothing_are_an_error_that_tells_no_secret() {
    let bad = |config: Value| {
        configs(Value::Map(Map::from([(
            "Configs".to_owned(),
            Value::List(vec![config]),
        )])))
    };
    let json = br#"{"value":{"ssh_password":"hunter2""#.to_vec();
    let error = bad(Value::Bytes(json)).unwrap_err();
    assert!(
        error.contains("line 1") && !error.contains("hunter2"),
        "{error}"
    );
    for config in [Value::Bool(true), Value::Bytes(br#"{"value":1}"#.to_vec())] {
        assert!(bad(config).is_err());
    }
    assert!(configs(Value::Null).is_err());
}

#[test]
fn errors_become_one_text() {
    let errors = |errors: &[&str]| {
        joined(
            &errors
                .iter()
                .map(|error| (*error).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(errors(&[]), None);
    assert_eq!(errors(&["bad"]).as_deref(), Some("bad"));
    assert_eq!(
        errors(&["bad", "worse"]).as_deref(),
        Some("2 errors:\n* bad\n* worse")
    );
}
