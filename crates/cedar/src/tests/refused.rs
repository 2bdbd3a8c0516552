//! Texts that are no policy that may be used, and the places where they say why.

use super::*;

#[test]
fn names_that_do_not_exist_are_refused() {
    let policies = r#"
// Groups and actions.
@id("a")
permit (
  principal in Group::"aprover",
  action in [Action::"approve", Action::"rejekt"],
  resource
);
@id("b")
forbid (principal in Groop::"approver", action == Action::"approve", resource) when {
  context.risk == Risk::"hihg" ||
  context.environment == Environment::"prod" ||
  context.kind == Kind::"robot" ||
  context.channel == Channel::"API" ||
  context.weekday == Weekday::"Friday" ||
  context.rsik == Risk::"high"
};
"#;
    let error = invalid(policies);
    let lines: Vec<&str> = error.lines().collect();
    for (place, word) in [
        ("access.cedar:5:16: ", "`\"aprover\"`"),
        ("access.cedar:6:33: ", "`Action::\"rejekt\"` (did you mean `Action::\"reject\"`?)"),
        ("access.cedar:10:22: ", "`Groop` (did you mean `Group`?)"),
        ("access.cedar:11:19: ", "`\"hihg\"`"),
        ("access.cedar:12:26: ", "`\"prod\"`"),
        ("access.cedar:13:19: ", "`\"robot\"`"),
        ("access.cedar:14:22: ", "`\"API\"`"),
        ("access.cedar:15:22: ", "`\"Friday\"`"),
    ] {
        let found = lines.iter().find(|line| line.starts_with(place));
        assert!(found.is_some_and(|line| line.contains(word)), "{place}{word}\n{error}");
    }
    assert!(invalid(&approve_when("context.rsik == Risk::\"high\"")).contains("did you mean `risk`?"));
    assert!(invalid("@id(\"a\") permit (principal, action, resource == Service::\"x\");").contains("1:49"));
}

#[test]
fn comparisons_that_make_no_sense_are_refused() {
    for condition in [
        r#"context.risk == "high""#,
        r#"context.hour == "9""#,
        r#"context.source_ip.isInRange(ip("10.0.0.0/8"))"#,
        r#"context has source_ip && context.source_ip.isInRange(ip("10.0.0.0/33"))"#,
        r#"context.estimated_cost.lessThan(decimal("1"))"#,
        r#"context.time < datetime("yesterday")"#,
        "context.own == 1",
        "principal.name == \"bob\"",
        "context == {own: true}",
    ] {
        let error = invalid(&approve_when(condition));
        assert!(error.starts_with("access.cedar:1:") && !error.contains('\n'), "{error}");
    }
    // `list`, `query_audit` and `manage_webhooks` are about no request.
    let error =
        invalid("@id(\"a\")\npermit (principal, action, resource)\nwhen { context.risk == Risk::\"high\" };");
    assert!(error.starts_with("access.cedar:3:8: "), "{error}");
    valid(
        "@id(\"a\") permit (principal, action, resource is Operation) when { context.risk == Risk::\"high\" };",
    );
}

/// Cedar says what is wrong; what to write instead depends on what is ours.
#[test]
fn common_mistakes_are_reported_with_what_to_write_instead() {
    let amounts = "(compare amounts with `.greaterThan(decimal(\"500.0\"))`, `.lessThan(…)` and the like)";
    for condition in [
        "context.estimated_cost < 500",
        "context.estimated_cost > decimal(\"500.0\")",
        "context.estimated_cost.greaterThan(500)",
    ] {
        for line in invalid(&approve_when(condition)).lines() {
            assert!(line.starts_with("access.cedar:1:") && line.ends_with(amounts), "{line}");
        }
    }
    let equal = invalid(&approve_when("context.estimated_cost == 500"));
    assert!(equal.contains("; compare amounts with `.greaterThan("), "{equal}");
    let point = refused(&approve_when("context.estimated_cost >= 500.5"));
    assert!(point.ends_with("; a number with a point is written `decimal(\"500.5\")`)"), "{point}");

    let group = invalid("@id(\"a\") permit (principal in Group::\"aprover\", action, resource);");
    assert!(group.starts_with("access.cedar:1:31: ") && group.contains("\"approver\""), "{group}");
    assert!(group.ends_with("; groups are listed in people.toml)"), "{group}");

    let all = "@id(\"a\")\nforbid (principal, action, resource)\nwhen { context.risk == Risk::\"high\" };";
    assert_eq!(
        invalid(all),
        "access.cedar:3:8: for policy `a`, attribute `risk` in context for Action::\"list\" not found \
         (`list` is about no request; a policy with `resource is Operation` is not about `list`)\n\
         access.cedar:3:8: for policy `a`, attribute `risk` in context for Action::\"manage_webhooks\" not found \
         (`manage_webhooks` is about no request; a policy with `resource is Operation` is not about `manage_webhooks`)\n\
         access.cedar:3:8: for policy `a`, attribute `risk` in context for Action::\"query_audit\" not found \
         (`query_audit` is about no request; a policy with `resource is Operation` is not about `query_audit`)"
    );
    valid(&all.replace("resource)", "resource is Operation)"));
    // What is there for no action is another mistake.
    let misspelt = invalid(&all.replace("context.risk", "context.rsik"));
    assert!(!misspelt.contains("is about no request"), "{misspelt}");
}

#[test]
fn what_might_follow_is_said_in_few_words() {
    for (text, said) in [
        (
            "@id(\"a\") permit (principal, action resource);",
            "access.cedar:1:36: unexpected token `resource` (expected `)` or `,` or an operator)",
        ),
        (
            "@id(\"a\") permit (principal, action in [Action::\"view\" Action::\"list\"], resource);",
            "access.cedar:1:55: unexpected token `Action` (expected `,` or `]` or an operator such as `&&`)",
        ),
        (
            "@id(\"a\") permit (principal, action, resource) when { context.own and context.own };",
            "access.cedar:1:66: unexpected token `and` (expected `}` or an operator such as `&&`)",
        ),
        (
            "@id(\"a\") permit (principal, action, resource)",
            "access.cedar:1:46: unexpected end of input (expected `;` or identifier)",
        ),
    ] {
        assert_eq!(refused(text), said);
    }
}

#[test]
fn what_cannot_matter_is_warned_of() {
    let access =
        parsed("\n@id(\"a\")\npermit (principal, action == Action::\"list\", resource is Operation);");
    let warnings = access.validate().unwrap();
    assert!(warnings.iter().any(|warning| warning.reason.contains("impossible")), "{warnings:?}");
    assert!(
        warnings.iter().all(|warning| warning.to_string().starts_with("access.cedar:2:1: ")),
        "{warnings:?}"
    );
}

#[test]
fn every_policy_has_a_name_of_its_own() {
    let text = "permit (principal, action, resource);
        @id permit (principal, action, resource);
        @id(\"a b\") @note(\"x; y\") permit (principal, action, resource);
        // ; @id(\"once\")
        @id(\"once\") permit (principal, action, resource);
        @id(\"once\") forbid (principal, action, resource);
        @name(\"other\") forbid (principal, action, resource);";
    assert_eq!(
        refused(text),
        "access.cedar:1:1: this policy has no name: write @id(\"...\") above it\n\
         access.cedar:2:9: the @id `` must be 1 to 64 letters, digits, `-` or `_`\n\
         access.cedar:3:9: the @id `a b` must be 1 to 64 letters, digits, `-` or `_`\n\
         access.cedar:6:9: there is a policy `once` already, in line 5\n\
         access.cedar:7:9: this policy has no name: write @id(\"...\") above it"
    );
    for (id, is_allowed) in [
        ("A-z_09", true),
        ("policy1", true),
        (&*"x".repeat(64), true),
        (&*"x".repeat(65), false),
        ("é", false),
        ("a.b", false),
        ("a\\n", false),
    ] {
        let text = format!("@id(\"{id}\") permit (principal, action, resource);");
        assert_eq!(Both::parse("f", &text, &groups(), "UTC").is_ok(), is_allowed, "{id}");
    }
    // Cedar's own names of policies are free for use, in any order.
    let swapped = "@id(\"policy1\") permit (principal, action, resource);
        @id(\"policy0\") forbid (principal, action == Action::\"approve\", resource);";
    assert_eq!(Situation::usual().put_to(&valid(swapped)), denied("forbidden by policy `policy0`"));
}

#[test]
fn templates_are_refused() {
    let text = "@id(\"a\") permit (principal, action, resource);\n\n@id(\"b\")\npermit (principal == ?principal, action, resource);";
    assert_eq!(
        refused(text),
        "access.cedar:3:1: this is a policy template, and templates are not supported: write `principal` and `resource`"
    );
    assert!(refused("@id(\"b\") permit (principal, action, resource in ?resource);").contains("template"));
}

#[test]
fn a_file_without_policies_is_refused() {
    for text in ["", "\n\n", "// Nothing yet.\n"] {
        assert_eq!(refused(text), "access.cedar:1:1: there is no policy in this file");
    }
    valid("@id(\"nothing\") forbid (principal, action, resource);");
}

#[test]
fn syntax_errors_have_places() {
    for (text, place) in [
        (
            "@id(\"a\")\npermit (principal, action == Action::\"approve\" resource);",
            "access.cedar:2:48: unexpected",
        ),
        ("@id(\"a\") permit (principal, action, resource) when { context.hour = 3 };", "access.cedar:1:54: "),
        ("@id(\"a\") permit (principal, action, resource)", "access.cedar:1:46: unexpected end of input"),
        (
            "@id(\"a\")\n\npermit (principal == Person::\"é, action, resource);\n",
            "access.cedar:3:30: invalid token",
        ),
        (
            "@id(\"a\") @id(\"b\") permit (principal, action, resource);",
            "access.cedar:1:10: duplicate annotation",
        ),
    ] {
        let error = refused(text);
        assert!(error.starts_with(place), "{error}");
        assert!(!error.contains('\n') && !error.ends_with('.'), "{error}");
    }
    // Each of several.
    let two = "@id(\"a\") permit (principal, action, resource) when { foo(1) };\n@id(\"b\") permit (principal, action, resource) when { bar(1) };";
    assert_eq!(refused(two).lines().count(), 2, "{}", refused(two));
}

#[test]
fn groups_of_any_name_fit_the_schema() {
    for groups in [&[][..], &["a:b/c.d-e_f"], &["\"", "\\", "é"]] {
        let groups = groups.iter().copied().map(str::to_owned).collect();
        let access = Both::parse("access.cedar", EVERYTHING, &groups, "UTC").unwrap();
        assert_eq!(access.validate(), Ok(Vec::new()));
    }
    let access = Both::parse("access.cedar", BUNDLED, &BTreeSet::new(), "UTC").unwrap();
    assert_eq!(access.validate().unwrap_err().to_string().lines().count(), 6);
}
