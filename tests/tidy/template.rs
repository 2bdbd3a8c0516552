//! The infrastructure template says what the code says: tables, variables, metrics. What of it is made from the code
//! is in `generated.rs`; what becomes of it, and whether AWS would take it, is asked by `infra/check`.

use super::generated::{
    EXECUTORS, SWEEPS, capitalized, condition, takes_audit_keys, takes_deployment_key, takes_log_bucket,
    takes_permit_keys, takes_visitor_key, waits,
};
use super::generated_dashboard::{self, DASHBOARD};
use super::generated_mcp::{self, MCP};
use super::{files, root};
use countersign_api::files::FileRoute;
use countersign_api::operation::Operation;
use countersign_delivery::destination::DestinationId;
use countersign_dynamodb::keys::{
    COUNTED, DEAD, DESTINATION, EVENT_ID, FIGURE_REQUESTS, FIGURES, LOG, OUTBOX_SHARDS, RECORDED, RELEASED,
    SHARD, TIMER, WAITING, WEBHOOKS, trail_key,
};
use countersign_dynamodb::table::{APPROVALS, AUDIT, DELIVERIES, Key, OUTBOX, TableDefinition, TableNames};
use countersign_e2e::grants::{functions, granted};
use countersign_lambda::metrics::NAMESPACE;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use strum::IntoEnumIterator as _;

/// The template, with tags as objects: `!Ref Api` is `{"!Ref": "Api"}`.
fn template() -> Value {
    plain(serde_yaml_ng::from_str(&fs::read_to_string(root().join("infra/template.yaml")).unwrap()).unwrap())
}

fn plain(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Tagged(tagged) => json!({ tagged.tag.to_string(): plain(tagged.value) }),
        Yaml::Mapping(members) => members
            .into_iter()
            .map(|(name, value)| (name.as_str().unwrap().to_owned(), plain(value)))
            .collect(),
        Yaml::Sequence(items) => items.into_iter().map(plain).collect(),
        scalar => serde_json::to_value(scalar).unwrap(),
    }
}

/// One value, or each of a list; none if there is nothing.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => vec![],
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// The members of an object; none if there is nothing.
fn members(value: &Value) -> BTreeMap<&str, &Value> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// The properties of the resources whose type starts like this, by logical id.
fn resources<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = members(&template["Resources"]).into_iter();
    resources
        .filter(|(_, resource)| text(&resource["Type"]).starts_with(kind))
        .map(|(id, resource)| (id, &resource["Properties"]))
        .collect()
}

/// `create` is `CreateFunction`.
fn logical_id(slug: &str) -> String {
    format!("{}Function", capitalized(slug))
}

/// The properties of a function.
fn function<'a>(template: &'a Value, slug: &str) -> &'a Value {
    &template["Resources"][logical_id(slug)]["Properties"]
}

/// The variables of a function.
fn variables<'a>(template: &'a Value, slug: &str) -> BTreeMap<&'a str, &'a Value> {
    let of_all = members(&template["Globals"]["Function"]["Environment"]["Variables"]);
    of_all.into_iter().chain(members(&function(template, slug)["Environment"]["Variables"])).collect()
}

/// The properties of a function's events of one type.
fn events<'a>(function: &'a Value, kind: &str) -> Vec<&'a Value> {
    let of_kind = members(&function["Events"]).into_values().filter(|event| event["Type"] == kind);
    of_kind.map(|event| &event["Properties"]).collect()
}

/// Logical id, definition and name of each table.
fn tables() -> [(&'static str, TableDefinition, String); 4] {
    let suffixed = |name: &str| format!("{name}${{TableSuffix}}");
    let names = TableNames::of_environment("${Environment}");
    [
        ("ApprovalsTable", APPROVALS, suffixed(&names.approvals)),
        ("AuditTable", AUDIT, suffixed(&names.audit)),
        ("DeliveriesTable", DELIVERIES, suffixed(&names.deliveries.unwrap())),
        ("OutboxTable", OUTBOX, suffixed(&names.outbox)),
    ]
}

fn key_schema(partition: Key, sort: Option<Key>) -> Value {
    let keys = [Some((partition, "HASH")), sort.map(|sort| (sort, "RANGE"))].into_iter().flatten();
    keys.map(|(key, kind)| json!({ "AttributeName": key.name, "KeyType": kind })).collect()
}

/// A list whose order means nothing, in some order.
fn sorted(list: &Value) -> Vec<String> {
    let mut items: Vec<_> = each(list).into_iter().map(Value::to_string).collect();
    items.sort();
    items
}

#[test]
fn tables_have_the_keys_of_the_code() {
    let template = template();
    for (id, definition, name) in tables() {
        let table = &template["Resources"][id]["Properties"];
        assert_eq!(table["TableName"], json!({ "!Sub": name }));
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{id}");
        assert_eq!(table["KeySchema"], key_schema(definition.partition_key, definition.sort_key), "{id}");
        let own = [Some(definition.partition_key), definition.sort_key].into_iter().flatten();
        let of_indexes = definition.indexes.iter().flat_map(|index| [index.partition_key, index.sort_key]);
        let keys: BTreeMap<_, _> = own.chain(of_indexes).map(|key| (key.name, key.is_number)).collect();
        let attributes: Value = keys
            .into_iter()
            .map(|(name, number)| json!({ "AttributeName": name, "AttributeType": if number { "N" } else { "S" } }))
            .collect();
        assert_eq!(sorted(&table["AttributeDefinitions"]), sorted(&attributes), "{id}");
    }
}

#[test]
fn tables_have_the_indexes_of_the_code_and_no_others() {
    let template = template();
    for (id, definition, _) in tables() {
        let table = &template["Resources"][id]["Properties"];
        assert_eq!(table["LocalSecondaryIndexes"], Value::Null, "{id}");
        let indexes = each(&table["GlobalSecondaryIndexes"]);
        let names: Vec<_> = indexes.iter().map(|index| text(&index["IndexName"])).collect();
        assert_eq!(names, definition.indexes.iter().map(|index| index.name).collect::<Vec<_>>(), "{id}");
        for (found, index) in indexes.into_iter().zip(definition.indexes) {
            let members: Vec<_> = members(found).into_keys().collect();
            assert_eq!(members, ["IndexName", "KeySchema", "Projection"], "{}", index.name);
            let keys = key_schema(index.partition_key, Some(index.sort_key));
            assert_eq!(found["KeySchema"], keys, "{}", index.name);
            let (kind, included) = match index.include {
                None => ("ALL", Value::Null),
                Some([]) => ("KEYS_ONLY", Value::Null),
                Some(_) => ("INCLUDE", json!(index.non_key_attributes())),
            };
            assert_eq!(found["Projection"]["ProjectionType"], kind, "{}", index.name);
            let held = &found["Projection"]["NonKeyAttributes"];
            assert_eq!(sorted(held), sorted(&included), "{}", index.name);
        }
    }
}

#[test]
fn tables_outlive_the_stack_and_lose_nothing_by_themselves() {
    let template = template();
    let ids: Vec<_> = tables().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(resources(&template, "AWS::DynamoDB::").into_keys().collect::<Vec<_>>(), ids);
    assert!(resources(&template, "AWS::Serverless::SimpleTable").is_empty());
    for id in ids {
        let table = &template["Resources"][id];
        assert_eq!(table["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
        assert_eq!(table["UpdateReplacePolicy"], "Retain", "{id}");
        let properties = &table["Properties"];
        let recovery = json!({ "PointInTimeRecoveryEnabled": true });
        assert_eq!(properties["PointInTimeRecoverySpecification"], recovery, "{id}");
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{id}");
        assert_eq!(properties["DeletionProtectionEnabled"], json!({ "!Ref": "DeletionProtection" }), "{id}");
        let stream = if ["DeliveriesTable", "OutboxTable"].contains(&id) {
            json!({ "StreamViewType": "KEYS_ONLY" })
        } else {
            Value::Null
        };
        assert_eq!(properties["StreamSpecification"], stream, "{id}");
    }
    assert_eq!(template["Parameters"]["DeletionProtection"]["Default"], "true");
    assert!(!template.to_string().contains("TimeToLiveSpecification"), "a table has a time to live");
}

#[test]
fn functions_are_those_of_the_folders() {
    let template = template();
    let mut ids: Vec<_> = functions().iter().map(|slug| logical_id(slug)).collect();
    ids.sort();
    assert_eq!(resources(&template, "AWS::Serverless::Function").into_keys().collect::<Vec<_>>(), ids);
    for slug in functions() {
        let properties = function(&template, &slug);
        assert_eq!(properties["CodeUri"], format!("../functions/{slug}"));
        assert_eq!(
            properties["FunctionName"],
            json!({ "!Sub": format!("countersign-${{Environment}}-{slug}") })
        );
    }
}

/// The second API, which is there on condition: the same routes for the same functions, and a signature in the place of
/// a token.
#[test]
fn signed_calls_have_the_same_routes_and_are_off_by_default() {
    let template = template();
    assert_eq!(template["Parameters"]["IamCallers"]["Default"], "false");
    assert_eq!(
        template["Conditions"]["TakesIamCallers"],
        json!({ "!Equals": [{ "!Ref": "IamCallers" }, "true"] })
    );
    let variables = variables(&template, "create");
    assert_eq!(*variables["IAM_CALLERS"], json!({ "!Ref": "IamCallers" }));
    for id in ["IamApi", "IamApiRole"] {
        assert_eq!(template["Resources"][id]["Condition"], "TakesIamCallers", "{id}");
    }
    let api = &template["Resources"]["IamApi"]["Properties"];
    let definition = &api["DefinitionBody"];
    let scheme = &definition["components"]["securitySchemes"]["AWS_IAM"];
    assert_eq!(scheme["x-amazon-apigateway-authtype"], "awsSigv4");
    let mut found = BTreeSet::new();
    for (path, methods) in members(&definition["paths"]) {
        for (method, route) in members(methods) {
            let integration = &route["x-amazon-apigateway-integration"];
            assert_eq!(integration["type"], "aws_proxy", "{path}");
            assert_eq!(integration["payloadFormatVersion"], "2.0", "{path}");
            assert_eq!(integration["credentials"], json!({ "!GetAtt": "IamApiRole.Arn" }), "{path}");
            let security = route["security"].clone();
            found.insert((
                method.to_uppercase(),
                path.to_owned(),
                integration["uri"].to_string(),
                security.to_string(),
            ));
        }
    }
    let route = |method: String, path: &str, function: &str, is_public: bool| {
        let uri = format!(
            "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{}.Arn}}:live/invocations",
            logical_id(function)
        );
        let security = if is_public { Value::Null } else { json!([{ "AWS_IAM": [] }]) };
        (method, path.to_owned(), json!({ "!Sub": uri }).to_string(), security.to_string())
    };
    let of_operations = Operation::iter().flat_map(|operation| {
        operation.paths().map(move |path| {
            route(operation.method().to_string(), path, operation.function(), operation.is_public())
        })
    });
    let of_files =
        FileRoute::iter().map(|file| route("GET".to_owned(), file.path_template(), file.slug(), false));
    assert_eq!(found, of_operations.chain(of_files).collect());

    let policies = each(&template["Resources"]["IamApiRole"]["Properties"]["Policies"]);
    let statements: Vec<_> =
        policies.into_iter().flat_map(|policy| each(&policy["PolicyDocument"]["Statement"])).collect();
    let behind_routes =
        Operation::iter().map(Operation::function).chain(FileRoute::iter().map(FileRoute::slug));
    let invoked: BTreeSet<_> = behind_routes
        .map(|slug| json!({ "!Sub": format!("${{{}.Arn}}:live", logical_id(slug)) }).to_string())
        .collect();
    assert_eq!(statements.len(), 1);
    assert_eq!(statements[0]["Action"], "lambda:InvokeFunction");
    assert_eq!(
        each(&statements[0]["Resource"]).into_iter().map(Value::to_string).collect::<BTreeSet<_>>(),
        invoked
    );
}

/// The code of a file, without its tests.
fn code(path: &std::path::Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap().to_owned()
}

/// The environment variables that the functions know: every literal in capitals.
fn known_variables() -> BTreeSet<String> {
    let in_capitals = |text: &&str| {
        let mut bytes = text.bytes();
        text.len() > 1
            && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
            && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let mut known: BTreeSet<String> =
        tables().iter().map(|(_, definition, _)| definition.name_variable.to_owned()).collect();
    for path in files(&[".rs"]) {
        let place = path.strip_prefix(root()).unwrap();
        if place.starts_with("functions") || place.starts_with("crates/lambda/src") {
            known.extend(code(&path).split('"').filter(in_capitals).map(str::to_owned));
        }
    }
    known
}

/// Set by the Lambda service itself, or by an operator who has changed the package.
const NOT_IN_THE_TEMPLATE: [&str; 5] =
    ["AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Set at the functions that need them; all others are set for all functions of the service.
const NOT_FOR_ALL: [&str; 23] = [
    "API_URL",
    "AUDIT_KEY_ALIAS",
    "AUDIT_LOG_BUCKET",
    "COOKIE_KEY_SECRET",
    "DASHBOARD_URL",
    "DEPLOYMENT_KEY_SECRET",
    "IAM_API_URL",
    "MAX_WAIT_SECONDS",
    "MCP_AS_HUMAN",
    "MCP_URL",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_SCOPE",
    "OIDC_SIGN_IN_ORIGINS",
    "OUTBOX_MIN_AGE_SECONDS",
    "PARAMETERS_RETENTION_DAYS",
    "PERMIT_KEY_ALIAS",
    "RDS_EXECUTOR_ARNS",
    "RDS_MONITORING_ROLE_ARN",
    "SNS_TOPIC_ARN",
    "TICKET_HOURS",
    "TICKET_URL",
    "VISITOR_KEY_SECRET",
];

/// The functions that the service is made of. Executors, the dashboard and the tools for agents are callers of it.
fn functions_of_the_service() -> Vec<String> {
    let is_caller =
        |slug: &String| EXECUTORS.contains(&slug.as_str()) || [DASHBOARD, MCP].contains(&slug.as_str());
    functions().into_iter().filter(|slug| !is_caller(slug)).collect()
}

#[test]
fn variables_are_those_that_the_code_reads() {
    let template = template();
    let mut for_all = known_variables();
    for name in NOT_IN_THE_TEMPLATE.into_iter().chain(NOT_FOR_ALL) {
        assert!(for_all.remove(name), "nothing reads {name}");
    }
    for slug in functions_of_the_service() {
        let variables = variables(&template, &slug);
        let names = variables.keys().filter(|name| !NOT_FOR_ALL.contains(name));
        assert_eq!(names.map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), for_all, "{slug}");

        assert_eq!(*variables["ENVIRONMENT"], json!({ "!Ref": "Environment" }), "{slug}");
        for (_, definition, name) in tables() {
            assert_eq!(*variables[definition.name_variable], json!({ "!Sub": name }), "{slug}");
        }
        assert_eq!(*variables["DIRECT_DECISIONS"], "false", "{slug}: no payload says who approved");
        assert_eq!(*variables["DIRECT_INVOCATION"], json!({ "!Ref": "DirectInvocation" }), "{slug}");
    }
    assert_eq!(template["Parameters"]["DirectDecisions"], Value::Null);
    assert_eq!(template["Parameters"]["DirectInvocation"]["Default"], "false", "a choice of the operator");
}

#[test]
fn a_policy_of_ones_own_is_that_of_every_function() {
    let template = template();
    let no_layer = json!({ "!Ref": "AWS::NoValue" });
    let layer = json!({ "!If": ["HasPolicyLayer", { "!Ref": "PolicyLayerArn" }, no_layer] });
    for parameter in ["PolicyDir", "PolicyLayerArn"] {
        assert_eq!(template["Parameters"][parameter]["Default"], "", "{parameter}");
    }
    for slug in functions_of_the_service() {
        assert_eq!(*variables(&template, &slug)["POLICY_DIR"], json!({ "!Ref": "PolicyDir" }), "{slug}");
        assert_eq!(function(&template, &slug)["Layers"], json!([layer]), "{slug}");
    }
}

#[test]
fn functions_get_only_the_variables_they_need() {
    let template = template();
    for slug in functions() {
        let records_events = granted(&slug).get("audit").is_some_and(|actions| actions.contains("PutItem"));
        let seals = [Operation::List.slug(), Operation::Execution.slug(), "deliver"].contains(&slug.as_str());
        assert_eq!(takes_deployment_key(&slug), records_events || seals, "{slug}");
        let mut expected = BTreeMap::new();
        if takes_deployment_key(&slug) {
            let own = json!({ "!Ref": "DeploymentKeySecret" });
            let key = json!({ "!If": ["MakesDeploymentKey", own, { "!Ref": "DeploymentKeyArn" }] });
            expected.insert("DEPLOYMENT_KEY_SECRET", key);
        }
        if waits(&slug) {
            expected.insert("MAX_WAIT_SECONDS", json!({ "!Ref": "MaxWaitSeconds" }));
        }
        if takes_permit_keys(&slug) {
            expected.insert("PERMIT_KEY_ALIAS", json!({ "!Sub": "alias/countersign-${Environment}-permit" }));
        }
        if takes_visitor_key(&slug) {
            let own = json!({ "!Ref": "VisitorKeySecret" });
            let of_all = json!({ "!If": ["HasDashboard", own, ""] });
            expected.insert("VISITOR_KEY_SECRET", if slug == DASHBOARD { own } else { of_all });
        }
        if takes_audit_keys(&slug) {
            expected.insert("AUDIT_KEY_ALIAS", json!({ "!Sub": "alias/countersign-${Environment}" }));
        }
        if takes_log_bucket(&slug) {
            let bucket = [json!({ "!Ref": "LogBucket" }), json!({ "!Ref": "LogBucketName" })];
            expected.insert("AUDIT_LOG_BUCKET", json!({ "!If": ["MakesLogBucket", bucket[0], bucket[1]] }));
        }
        if ["deliver", "notify"].contains(&slug.as_str()) {
            let sub = |text: &str| json!({ "!Sub": text });
            let of_api = json!({ "!If": ["HasDomainName", sub("https://${DomainName}"),
                sub("https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}")] });
            let of_dashboard = json!({ "!If": ["HasDashboardDomainName", sub("https://${DashboardDomainName}"),
                { "!If": ["HasDashboard", of_api, ""] }] });
            let url = json!({ "!If": ["HasDashboardUrl", { "!Ref": "DashboardUrl" }, of_dashboard] });
            expected.insert("DASHBOARD_URL", url);
        }
        if slug == "notify" {
            expected.insert("SNS_TOPIC_ARN", json!({ "!Ref": "NotificationsTopic" }));
            expected.insert("OUTBOX_MIN_AGE_SECONDS", json!("60"));
        }
        if slug == "rds-executor" {
            let url = "https://${IamApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}";
            expected.insert("IAM_API_URL", json!({ "!Sub": url }));
            expected.insert("RDS_EXECUTOR_ARNS", json!({ "!Ref": "RdsExecutorArns" }));
            expected.insert("RDS_MONITORING_ROLE_ARN", json!({ "!Ref": "RdsMonitoringRoleArn" }));
        }
        if slug == MCP {
            expected.extend(generated_mcp::variables());
        }
        if slug == DASHBOARD {
            expected.extend(generated_dashboard::variables());
        }
        let mut found = variables(&template, &slug);
        found.retain(|name, _| NOT_FOR_ALL.contains(name));
        assert_eq!(found, expected.iter().map(|(name, value)| (*name, value)).collect(), "{slug}");
    }
}

/// `sam local invoke` drops a variable that the template does not name.
#[test]
fn sample_variables_are_named_by_the_template() {
    let template = template();
    let sample: Value =
        serde_json::from_str(&fs::read_to_string(root().join("events/env.json")).unwrap()).unwrap();
    let variables = variables(&template, "create");
    for name in members(&sample["Parameters"]).into_keys() {
        assert!(variables.contains_key(name) || NOT_FOR_ALL.contains(&name), "{name}");
    }
}

/// Whether an event pattern lets a record through, as far as the template uses patterns.
fn lets_through(pattern: &Value, record: &Value) -> bool {
    match pattern {
        Value::Object(members) => {
            members.iter().all(|(name, pattern)| lets_through(pattern, &record[name.as_str()]))
        }
        Value::Array(alternatives) => alternatives.iter().any(|alternative| {
            let excluded = &alternative["anything-but"];
            if alternative.is_string() {
                alternative == record
            } else {
                assert!(excluded.is_array() && members(alternative).len() == 1, "unknown: {alternative}");
                !each(excluded).contains(&record)
            }
        }),
        other => panic!("no event pattern: {other}"),
    }
}

#[test]
fn notify_takes_new_entries_from_the_stream_and_no_dead_letters() {
    let template = template();
    let sources = events(function(&template, "notify"), "DynamoDB");
    assert_eq!(sources.len(), 1);
    let source = sources[0];
    let own = json!({ "!GetAtt": "OutboxTable.StreamArn" });
    assert_eq!(source["Stream"], json!({ "!If": ["MakesTables", own, { "!Ref": "OutboxStreamArn" }] }));
    assert_ne!(source["Enabled"], false);
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));

    let filters: Vec<Value> = each(&source["FilterCriteria"]["Filters"])
        .iter()
        .map(|filter| serde_json::from_str(text(&filter["Pattern"])).unwrap())
        .collect();
    let passes = |event: &str, shard: &str| {
        let keys =
            json!({ SHARD: { "S": shard }, EVENT_ID: { "S": "01930000-0000-7000-8000-0000000000aa" } });
        let record = json!({ "eventName": event, "dynamodb": { "Keys": keys } });
        filters.iter().any(|filter| lets_through(filter, &record))
    };
    for shard in (0..OUTBOX_SHARDS).map(|shard| shard.to_string()) {
        assert!(passes("INSERT", &shard), "{shard}");
        for event in ["MODIFY", "REMOVE"] {
            assert!(!passes(event, &shard), "{event} {shard}");
        }
    }
    assert!(passes("INSERT", RELEASED), "who is to be resumed");
    for shard in [COUNTED, DEAD, LOG, RECORDED, TIMER, WAITING, FIGURES, FIGURE_REQUESTS] {
        assert!(!passes("INSERT", shard), "{shard}");
    }
}

#[test]
fn deliver_takes_new_deliveries_from_the_stream_and_neither_webhooks_nor_trails() {
    let template = template();
    let sources = events(function(&template, "deliver"), "DynamoDB");
    assert_eq!(sources.len(), 1);
    let own = json!({ "!GetAtt": "DeliveriesTable.StreamArn" });
    let stream = json!({ "!If": ["MakesDeliveriesTable", own, { "!Ref": "DeliveriesStreamArn" }] });
    assert_eq!(sources[0]["Stream"], stream);
    // Deliveries of one destination come one batch after the other, and others beside it.
    assert_eq!(sources[0]["ParallelizationFactor"], 10);
    let pattern = text(&sources[0]["FilterCriteria"]["Filters"][0]["Pattern"]);
    let pattern: Value = serde_json::from_str(pattern).unwrap();
    assert_eq!(
        pattern,
        json!({ "eventName": ["INSERT"], "dynamodb": { "Keys": { DESTINATION: { "S": [{ "prefix": "webhook:" }] } } } })
    );
    let webhook = DestinationId::webhook("wh_1").unwrap();
    assert!(webhook.as_str().starts_with("webhook:"));
    assert!(!WEBHOOKS.starts_with("webhook:") && !trail_key("wh_1").starts_with("webhook:"));
}

/// What can touch databases is there only where the operator has named some, and none is named by default.
#[test]
fn executors_are_there_on_condition() {
    let template = template();
    for slug in EXECUTORS.into_iter().chain([DASHBOARD, MCP]) {
        let has = condition(slug).unwrap();
        let parts = ["Function", "Role", "Logs", "FailedRuns"];
        for part in parts.into_iter().chain(EXECUTORS.contains(&slug).then_some("SilentAlarm")) {
            let id = format!("{}{part}", capitalized(slug));
            assert_eq!(template["Resources"][&id]["Condition"], has, "{id}");
        }
    }
    assert_eq!(template["Parameters"]["RdsExecutorArns"]["Default"], "");
    let named = json!({ "!Not": [{ "!Equals": [{ "!Ref": "RdsExecutorArns" }, ""] }] });
    assert_eq!(
        template["Conditions"]["HasRdsExecutor"],
        json!({ "!And": [{ "!Condition": "TakesIamCallers" }, named] })
    );
    assert_eq!(template["Rules"]["RdsExecutorSignsItsCalls"]["RuleCondition"], named);
}

#[test]
fn sweeps_and_executors_are_scheduled() {
    let template = template();
    for slug in SWEEPS.into_iter().chain(EXECUTORS) {
        let schedules = events(function(&template, slug), "ScheduleV2");
        assert_eq!(schedules.len(), 1, "{slug}");
        assert!(text(&schedules[0]["ScheduleExpression"]).starts_with("rate("), "{slug}");
        assert_ne!(schedules[0]["State"], "DISABLED", "{slug}");
    }
}

/// The metrics of ours that alarms and the dashboard look at.
fn watched(template: &Value) -> BTreeSet<String> {
    let mut watched = BTreeSet::new();
    for (id, alarm) in resources(template, "AWS::CloudWatch::Alarm") {
        let in_expressions =
            each(&alarm["Metrics"]).into_iter().map(|metric| &metric["MetricStat"]["Metric"]);
        for metric in in_expressions.chain([alarm]).filter(|metric| metric["Namespace"].is_string()) {
            if metric["Namespace"] == NAMESPACE {
                let environment = json!([{ "Name": "Environment", "Value": { "!Ref": "Environment" } }]);
                assert_eq!(metric["Dimensions"], environment, "{id}");
                watched.insert(text(&metric["MetricName"]).to_owned());
            } else {
                assert!(text(&metric["Namespace"]).starts_with("AWS/"), "{id}: {metric}");
            }
        }
    }
    for dashboard in resources(template, "AWS::CloudWatch::Dashboard").into_values() {
        let body: Value = serde_json::from_str(text(&dashboard["DashboardBody"]["!Sub"])).unwrap();
        let widgets = each(&body["widgets"]).into_iter();
        for metric in widgets.flat_map(|widget| each(&widget["properties"]["metrics"])) {
            if metric[0] == NAMESPACE {
                assert_eq!([&metric[2], &metric[3]], ["Environment", "${Environment}"], "{metric}");
                watched.insert(text(&metric[1]).to_owned());
            }
            let search = metric[0]["expression"].as_str().unwrap_or_default();
            if !search.contains(&format!("{{{NAMESPACE},")) {
                continue;
            }
            let searched = search.split("MetricName=\"").skip(1);
            watched.extend(searched.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    watched
}

#[test]
fn alarms_and_dashboard_watch_metrics_that_functions_write() {
    let written = code(&root().join("crates/lambda/src/metrics.rs"));
    let watched = watched(&template());
    for name in &watched {
        assert!(written.contains(&format!("\"{name}\"")), "nothing writes {name}");
    }
    assert!(watched.contains("Faults") && watched.contains("OutboxDeadLetters"), "{watched:?}");
}
