//! The part of the infrastructure template that follows from the table of operations and from the manifests of the
//! functions: the function of each operation, and role and log of every function. It knows no values of their own
//! that the sweeps and executors have; those functions are written in the template by hand.

use crate::generated_dashboard::{self, DASHBOARD};
use crate::generated_mcp::{self, MCP};
use crate::generated_routes::http_route;
use crate::{generated_destinations, root};
use countersign_api::files::FileRoute;
use countersign_api::operation::{HOLD_FUNCTION, NOTIFICATIONS_FUNCTION, Operation, WEBHOOKS_FUNCTION};
use countersign_dynamodb::table::{AUDIT, DELIVERIES, TableDefinition};
use countersign_e2e::grants::{functions, granted};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use strum::IntoEnumIterator as _;

const BEGIN: &str = "  # --- Made by tests/tidy/generated.rs ";
const END: &str = "  # --- End of what is made ";

/// The secret with the deployment's key: the stack's, or one that exists.
const DEPLOYMENT_KEY: &str = "!If [MakesDeploymentKey, !Ref DeploymentKeySecret, !Ref DeploymentKeyArn]";

/// The state machines whose tasks are resumed; where none is named, one that there cannot be.
const STATE_MACHINES: &str = "!If [HasStateMachines, !Ref StateMachineArns, \
    !Sub \"arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:none/none\"]";
/// The same of functions, whose callbacks are resumed.
const DURABLE_FUNCTIONS: &str = "!If [HasDurableFunctions, !Ref DurableFunctionArns, \
    !Sub \"arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:none/none\"]";

/// What of a function depends on a parameter. It is said at each function, because `AWS::LanguageExtensions` puts values
/// into resources only, and the name of a version is made from what it leaves.
const SETTINGS: &str = "      MemorySize: !Ref FunctionMemory
      VpcConfig: !If [InVpc, { SubnetIds: !Ref SubnetIds, SecurityGroupIds: !Ref SecurityGroupIds }, !Ref AWS::NoValue]
      KmsKeyArn: !If [HasKey, !Ref KeyArn, !Ref AWS::NoValue]
      Layers: [!If [HasPolicyLayer, !Ref PolicyLayerArn, !Ref AWS::NoValue]]
      Environment:
        Variables:
          ENVIRONMENT: !Ref Environment
          APPROVALS_TABLE: !Sub rds-approvals-${Environment}${TableSuffix}
          AUDIT_LOG_TABLE: !Sub audit-log-${Environment}${TableSuffix}
          OUTBOX_TABLE: !Sub approvals-outbox-${Environment}${TableSuffix}
          DELIVERIES_TABLE: !Sub approvals-deliveries-${Environment}${TableSuffix}
          EMAIL_CLAIM: !Ref EmailClaim
          GROUPS_CLAIM: !Ref GroupsClaim
          OIDC_EMAIL_TRUSTED: !Ref OidcEmailTrusted
          OIDC_ISSUER: !Ref OidcIssuer
          OIDC_AUDIENCE: !Ref OidcAudience
          JWKS: !Ref Jwks
          IAM_CALLERS: !Ref IamCallers
          DIRECT_INVOCATION: !Ref DirectInvocation
          DIRECT_GROUPS: !Ref DirectGroups
          DIRECT_READ_GROUPS: !Ref DirectReadGroups
          CONTINUATIONS: !If [HasContinuations, \"true\", \"false\"]
          POLICY_DIR: !Ref PolicyDir
          APPROVAL_WORKFLOW_ENABLED: !Ref ApprovalWorkflowEnabled
          APPROVAL_MAX_PENDING: !Ref ApprovalMaxPending
          RUST_LOG: !Ref LogLevel
";

/// What a function may take that waits for 20 seconds, the most that `MaxWaitSeconds` may say: less than the gateway
/// waits for it.
const TIMEOUT_OF_WAITING: &str = "      Timeout: 29\n";
/// What the functions for webhooks are for, in a few words.
const ABOUT_WEBHOOKS: &str = "Webhooks, and what became of their deliveries";
/// The same of the function for messages to people.
const ABOUT_NOTIFICATIONS: &str = "How people hear of requests, and who would hear of one";

/// How many environments of a function that people and pipelines wait for are kept ready (docs/performance.md).
pub(super) const READY: &str = "      ProvisionedConcurrencyConfig: !If
        - HasProvisionedConcurrency
        - { ProvisionedConcurrentExecutions: !Ref ProvisionedConcurrency }
        - !Ref AWS::NoValue
";

/// The functions behind the API that are called seldom, or by programs that are not late by a cold start.
const SELDOM: [&str; 12] = [
    "health",
    "keys",
    "execution",
    "claim",
    "observe",
    "withdraw",
    "evidence",
    "log",
    "report",
    HOLD_FUNCTION,
    WEBHOOKS_FUNCTION,
    NOTIFICATIONS_FUNCTION,
];

/// Whether calls of the function may wait.
pub(super) fn waits(slug: &str) -> bool {
    slug == Operation::Get.slug()
}

/// The functions that are invoked by schedules and streams.
pub(super) const SWEEPS: [&str; 4] = ["deliver", "expire", "notify", "seal"];

/// The functions that carry out what was approved, each on a schedule and on condition: they are callers of the API.
pub(super) const EXECUTORS: [&str; 1] = ["rds-executor"];

/// `create` is `Create`, `rds-executor` is `RdsExecutor`.
pub(super) fn capitalized(slug: &str) -> String {
    let words = slug.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_uppercase())
    });
    words.collect()
}

/// The condition on which a function is there; none if it always is.
pub(super) fn condition(slug: &str) -> Option<String> {
    (EXECUTORS.contains(&slug) || [DASHBOARD, MCP].contains(&slug))
        .then(|| format!("Has{}", capitalized(slug)))
}

/// The role by which Enhanced Monitoring writes; where none is named, one that there cannot be.
const MONITORING_ROLE: &str = "!If [HasRdsMonitoringRole, !Ref RdsMonitoringRoleArn, \
    !Sub \"arn:${AWS::Partition}:iam::${AWS::AccountId}:role/none/none\"]";
const MONITORING_ROLE_CONDITION: &str =
    "                Condition: { StringEquals: { iam:PassedToService: monitoring.rds.amazonaws.com } }\n";

/// The secret with the key by which functions know the calls of the dashboard.
const VISITOR_KEY: &str = "!If [HasDashboard, !Ref VisitorKeySecret, \"\"]";
/// A secret in Secrets Manager that no stack has: where there is none to read.
const NO_SECRET: &str =
    "!Sub \"arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:none\"";

/// All keys of the account: which of them are those that sign for a purpose is said by their aliases, which move.
const SIGNING_KEYS: &str = "!Sub arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*";

/// The condition under which a key is one of a purpose.
fn signing_keys_condition(purpose: &str) -> String {
    format!(
        "                Condition: {{ \"ForAnyValue:StringLike\": {{ kms:ResourceAliases: !Sub \"alias/countersign-${{Environment}}-{purpose}-*\" }} }}\n"
    )
}

/// What the aliases of keys of permits begin with.
const PERMIT_KEY_ALIAS: &str = "!Sub alias/countersign-${Environment}-permit";
/// What the aliases of keys of the audit log and of evidence begin with; the purpose follows.
const AUDIT_KEY_ALIAS: &str = "!Sub alias/countersign-${Environment}";
/// The bucket of the audit log: the stack's, or one that exists.
const LOG_BUCKET: &str = "!If [MakesLogBucket, !Ref LogBucket, !Ref LogBucketName]";
const LOG_BUCKET_ARN: &str =
    "!If [MakesLogBucket, !GetAtt LogBucket.Arn, !Sub \"arn:${AWS::Partition}:s3:::${LogBucketName}\"]";
const LOG_OBJECTS_ARN: &str = "!If [MakesLogBucket, !Sub \"${LogBucket.Arn}/*\", !Sub \"arn:${AWS::Partition}:s3:::${LogBucketName}/*\"]";
/// Objects that are encrypted with the operator's key take a key of their own.
const ENCRYPTION_OF_OBJECTS: &str = "              - !If
                - HasKey
                - { Effect: Allow, Action: kms:GenerateDataKey, Resource: !Ref KeyArn }
                - !Ref AWS::NoValue
";

/// Whether the function signs permits, or verifies them.
pub(super) fn takes_permit_keys(slug: &str) -> bool {
    granted(slug).contains_key("permit-keys")
}

/// Whether the function signs checkpoints or evidence, or verifies them.
pub(super) fn takes_audit_keys(slug: &str) -> bool {
    granted(slug).contains_key("log-keys")
}

/// Whether the function reads or writes files of the audit log.
pub(super) fn takes_log_bucket(slug: &str) -> bool {
    granted(slug).contains_key("log-bucket")
}

/// Whether the function knows the calls of the dashboard by its key, or is the dashboard.
pub(super) fn takes_visitor_key(slug: &str) -> bool {
    granted(slug).contains_key("visitor-key")
}

/// Whether the function reads the deployment's key: for the seals of what it records, or of cursors.
pub(super) fn takes_deployment_key(slug: &str) -> bool {
    granted(slug).contains_key("deployment-key")
}

/// What a manifest grants, as a policy says it: the service, its actions, and the resources in the template.
fn grant(slug: &str, name: &str, actions: BTreeSet<String>) -> (&'static str, BTreeSet<String>, Vec<String>) {
    let rds = |kind: &str| {
        format!("!Sub arn:${{AWS::Partition}}:rds:${{AWS::Region}}:${{AWS::AccountId}}:{kind}:*")
    };
    let (service, resources) = match name {
        // The operations of the API that a caller who signs may call.
        "api" => {
            let routes = actions.iter().map(|slug| invocation(slug)).collect();
            return ("execute-api", ["Invoke".to_owned()].into(), routes);
        }
        "approvals" | "audit" | "outbox" | "deliveries" => ("dynamodb", vec![table_arn(name, "")]),
        "deployment-key" => ("secretsmanager", vec![DEPLOYMENT_KEY.to_owned()]),
        "client-secret" => {
            ("secretsmanager", vec![format!("!If [HasClientSecret, !Ref OidcClientSecretArn, {NO_SECRET}]")])
        }
        "cookie-key" => ("secretsmanager", vec!["!Ref CookieKeySecret".to_owned()]),
        // The dashboard and its key are there on the same condition.
        "visitor-key" if slug == DASHBOARD => ("secretsmanager", vec!["!Ref VisitorKeySecret".to_owned()]),
        "visitor-key" => {
            ("secretsmanager", vec![format!("!If [HasDashboard, !Ref VisitorKeySecret, {NO_SECRET}]")])
        }
        "permit-keys" | "log-keys" | "evidence-keys" => ("kms", vec![SIGNING_KEYS.to_owned()]),
        "log-bucket" => ("s3", vec![LOG_BUCKET_ARN.to_owned()]),
        "log-objects" => ("s3", vec![LOG_OBJECTS_ARN.to_owned()]),
        "topic" => ("sns", vec!["!Ref NotificationsTopic".to_owned()]),
        "state-machines" => ("states", vec![STATE_MACHINES.to_owned()]),
        "durable-functions" => ("lambda", vec![DURABLE_FUNCTIONS.to_owned()]),
        _ if generated_destinations::is_one(name) => generated_destinations::grant(name),
        "rds" => ("rds", vec!["\"*\"".to_owned()]),
        "rds-targets" => ("rds", vec!["!Split [\",\", !Ref RdsExecutorArns]".to_owned()]),
        "rds-snapshots" => ("rds", vec![rds("snapshot")]),
        "rds-groups" => ("rds", ["og", "pg", "subgrp"].map(rds).into()),
        "monitoring-role" => ("iam", vec![MONITORING_ROLE.to_owned()]),
        index => {
            let is_of = |table: TableDefinition| table.indexes.iter().any(|of_table| of_table.name == index);
            let table = match index {
                _ if is_of(AUDIT) => "audit",
                _ if is_of(DELIVERIES) => "deliveries",
                _ => "approvals",
            };
            ("dynamodb", vec![table_arn(table, &format!("/index/{index}"))])
        }
    };
    (service, actions, resources)
}

/// The ARN of an operation of the second API, for callers who sign. What stands for an id is any characters.
fn invocation(slug: &str) -> String {
    let operation = Operation::iter().find(|operation| operation.slug() == slug).unwrap();
    let (method, path) = (operation.method(), operation.path_template().replace("{id}", "*"));
    let account = "${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}";
    format!("!Sub arn:{account}:${{IamApi}}/*/{method}{path}")
}

/// The ARN of a table, or of a part of it. By name, because the tables need not be the stack's.
fn table_arn(name: &str, part: &str) -> String {
    let table = match name {
        "approvals" => "rds-approvals",
        "audit" => "audit-log",
        "deliveries" => "approvals-deliveries",
        _ => "approvals-outbox",
    };
    let account = "${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}";
    format!("!Sub arn:{account}:table/{table}-${{Environment}}${{TableSuffix}}{part}")
}

/// A statement of a role; the actions are those of one service.
fn statement(text: &mut String, actions: &[String], resources: &[String]) {
    write!(text, "              - Effect: Allow\n                Action: [{}]\n", actions.join(", "))
        .unwrap();
    match resources {
        [one] => writeln!(text, "                Resource: {one}").unwrap(),
        several => {
            text.push_str("                Resource:\n");
            for one in several {
                writeln!(text, "                  - {one}").unwrap();
            }
        }
    }
}

/// The path of a role. That of roles that add audit events is their own: the policy of the audit table names it.
fn role_path(slug: &str) -> &'static str {
    let adds_events = granted(slug).get("audit").is_some_and(|actions| actions.contains("PutItem"));
    if adds_events { "/countersign/${Environment}/audit/" } else { "/countersign/${Environment}/" }
}

fn role_and_log(slug: &str) -> String {
    let (name, path) = (capitalized(slug), role_path(slug));
    let condition =
        condition(slug).map(|condition| format!("    Condition: {condition}\n")).unwrap_or_default();
    let mut text = format!(
        "
  {name}Role:
    Type: AWS::IAM::Role
{condition}    Properties:
      Path: !Sub {path}
      PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundary, !Ref AWS::NoValue]
      AssumeRolePolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - {{ Effect: Allow, Principal: {{ Service: lambda.amazonaws.com }}, Action: sts:AssumeRole }}
      ManagedPolicyArns: [!Ref FunctionsPolicy]
      Policies:
        - PolicyName: {slug}
          PolicyDocument:
            Version: \"2012-10-17\"
            Statement:
"
    );
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    statement(
        &mut text,
        &texts(&["logs:CreateLogStream", "logs:PutLogEvents"]),
        &[format!("!GetAtt {name}Logs.Arn")],
    );
    // The same actions on several resources are one statement, if no condition tells them apart, and none of them is a list itself.
    let mut statements = BTreeMap::<_, Vec<String>>::new();
    for (name, actions) in granted(slug) {
        let (service, actions, resources) = grant(slug, &name, actions);
        let condition = match service {
            "kms" => signing_keys_condition(name.trim_end_matches("-keys")),
            "iam" => MONITORING_ROLE_CONDITION.to_owned(),
            _ => String::new(),
        };
        let by_itself = generated_destinations::is_one(&name).then_some(name);
        statements.entry((service, actions, condition, by_itself)).or_default().extend(resources);
    }
    for ((service, actions, condition, _), resources) in statements {
        let is_encrypted = service == "s3" && actions.contains("PutObject");
        let actions: Vec<_> = actions.iter().map(|action| format!("{service}:{action}")).collect();
        statement(&mut text, &actions, &resources);
        text.push_str(&condition);
        if is_encrypted {
            text.push_str(ENCRYPTION_OF_OBJECTS);
        }
        if service == "sns" && granted(slug).contains_key("topic") {
            // Publishing to an encrypted topic takes its key.
            let actions = texts(&["kms:Decrypt", "kms:GenerateDataKey"]);
            statement(&mut text, &actions, &texts(&["!GetAtt NotificationsKey.Arn"]));
        }
    }
    // The Lambda service reads the stream as the function.
    let streamed = [("notify", "outbox"), ("deliver", "deliveries")];
    if let Some((_, table)) = streamed.into_iter().find(|(function, _)| *function == slug) {
        let actions = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
        let actions = actions.map(|action| format!("dynamodb:{action}"));
        statement(&mut text, &actions, &[table_arn(table, "/stream/*")]);
    }
    write!(
        text,
        "
  {name}Logs:
    Type: AWS::Logs::LogGroup
{condition}    Properties:
      LogGroupName: !Sub /aws/lambda/countersign-${{Environment}}-{slug}
      RetentionInDays: !Ref LogRetentionDays
      KmsKeyId: !If [HasKey, !Ref KeyArn, !Ref AWS::NoValue]

  {name}FailedRuns:
    Type: AWS::Logs::MetricFilter
{condition}    Properties:
      LogGroupName: !Ref {name}Logs
      FilterPattern: '?\"Task timed out\" ?\"Runtime exited\" ?\"does not start\"'
      MetricTransformations:
        - {{ MetricNamespace: !Sub \"Countersign/${{Environment}}\", MetricName: FailedRuns, MetricValue: \"1\" }}
"
    )
    .unwrap();
    text
}

/// A route that leads to a function.
struct Route {
    event: String,
    function: &'static str,
    method: String,
    path: &'static str,
    is_public: bool,
}

/// All routes of the API, in the order of the template: operations, and then files.
fn routes() -> Vec<Route> {
    let of_operations = Operation::iter().flat_map(|operation| {
        operation.paths().zip(1..).map(move |(path, number)| Route {
            event: if number == 1 { format!("{operation:?}") } else { format!("{operation:?}{number}") },
            function: operation.function(),
            method: operation.method().to_string(),
            path,
            is_public: operation.is_public(),
        })
    });
    let of_files = FileRoute::iter().map(|route| Route {
        event: format!("{route:?}"),
        function: route.slug(),
        method: "GET".to_owned(),
        path: route.path_template(),
        is_public: false,
    });
    of_operations.chain(of_files).collect()
}

/// The functions behind those routes, each with what it is for.
fn functions_behind_routes() -> Vec<(&'static str, &'static str)> {
    let operations = Operation::iter().filter(|operation| operation.function() == operation.slug());
    let operations = operations.map(|operation| (operation.slug(), operation.definition().summary));
    let files = FileRoute::iter().map(|route| (route.slug(), route.summary()));
    let shared = [(WEBHOOKS_FUNCTION, ABOUT_WEBHOOKS), (NOTIFICATIONS_FUNCTION, ABOUT_NOTIFICATIONS)];
    operations.chain(shared).chain(files).collect()
}

/// A function behind the API, with the routes that lead to it.
fn function(slug: &str, summary: &str) -> String {
    let name = capitalized(slug);
    let mut text = format!(
        "
  {name}Function:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
    Properties:
      FunctionName: !Sub countersign-${{Environment}}-{slug}
      Description: {summary}
      CodeUri: ../functions/{slug}
      Role: !GetAtt {name}Role.Arn
      AutoPublishAliasAllProperties: true
      LoggingConfig: {{ LogFormat: Text, LogGroup: !Ref {name}Logs }}
"
    );
    // Trying a webhook out takes as long as its endpoint may take.
    if waits(slug) || slug == WEBHOOKS_FUNCTION {
        text.push_str(TIMEOUT_OF_WAITING);
    }
    if !SELDOM.contains(&slug) {
        text.push_str(READY);
    }
    text.push_str(SETTINGS);
    if waits(slug) {
        text.push_str("          MAX_WAIT_SECONDS: !Ref MaxWaitSeconds\n");
    }
    if slug == "expire" {
        text.push_str("          PARAMETERS_RETENTION_DAYS: !Ref ParametersRetentionDays\n");
    }
    if takes_deployment_key(slug) {
        writeln!(text, "          DEPLOYMENT_KEY_SECRET: {DEPLOYMENT_KEY}").unwrap();
    }
    if takes_visitor_key(slug) {
        writeln!(text, "          VISITOR_KEY_SECRET: {VISITOR_KEY}").unwrap();
    }
    if takes_permit_keys(slug) {
        writeln!(text, "          PERMIT_KEY_ALIAS: {PERMIT_KEY_ALIAS}").unwrap();
    }
    if takes_audit_keys(slug) {
        writeln!(text, "          AUDIT_KEY_ALIAS: {AUDIT_KEY_ALIAS}").unwrap();
    }
    if takes_log_bucket(slug) {
        writeln!(text, "          AUDIT_LOG_BUCKET: {LOG_BUCKET}").unwrap();
    }
    text.push_str("      Events:\n");
    for Route { event, method, path, is_public, .. } in
        routes().into_iter().filter(|route| route.function == slug)
    {
        text.push_str(&http_route(&event, &method, path));
        // Named at each route: an API with a default would import a route without an authorizer with a warning.
        if !is_public {
            text.push_str("            Auth: { Authorizer: Issuer }\n");
        }
    }
    text
}

/// The second API, for callers who sign, and the role by which it invokes the functions.
fn iam_api() -> String {
    let mut text = "
  # The same routes for callers who sign with credentials of AWS (docs/iam.md, docs/adr/0036-signed-calls.md): a route has
  # one authorizer. It is a definition and a role that invokes the functions, so that without it nothing of it is left
  # at the functions.

  IamApi:
    Type: AWS::Serverless::HttpApi
    Condition: TakesIamCallers
    Properties:
      Description: !Sub Countersign (${Environment}) for callers of AWS
      StageName: $default
      FailOnWarnings: true
      DefaultRouteSettings:
        ThrottlingRateLimit: !Ref ApiRateLimit
        ThrottlingBurstLimit: !Ref ApiBurstLimit
      RouteSettings:
        GET /health: { ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20 }
        GET /openapi.json: { ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20 }
        GET /.well-known/jwks.json: { ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20 }
      AccessLogSettings:
        DestinationArn: !GetAtt ApiLogs.Arn
        # As above. Who has signed is in the audit trail: the name of a session is a person's.
        Format: >-
          {\"request_id\":\"$context.requestId\",\"function_request_id\":\"$context.awsEndpointRequestId\",
          \"time_ms\":\"$context.requestTimeEpoch\",
          \"route\":\"$context.routeKey\",\"status\":\"$context.status\",\"latency_ms\":\"$context.responseLatency\",
          \"integration_latency_ms\":\"$context.integrationLatency\",
          \"integration_error\":\"$context.integrationErrorMessage\",
          \"authorizer_error\":\"$context.authorizer.error\",\"source_ip\":\"$context.identity.sourceIp\"}
      DefinitionBody:
        openapi: 3.0.1
        info:
          title: !Sub countersign-${Environment}-iam
          version: \"1\"
        components:
          securitySchemes:
            AWS_IAM:
              type: apiKey
              in: header
              name: Authorization
              x-amazon-apigateway-authtype: awsSigv4
        paths:
"
        .to_owned();
    let mut paths: BTreeMap<&str, Vec<Route>> = BTreeMap::new();
    for route in routes() {
        paths.entry(route.path).or_default().push(route);
    }
    for (path, routes) in paths {
        writeln!(text, "          {path}:").unwrap();
        for Route { method, function, is_public, .. } in routes {
            let function = capitalized(function);
            writeln!(text, "            {}:", method.to_lowercase()).unwrap();
            if !is_public {
                text.push_str("              security: [{ AWS_IAM: [] }]\n");
            }
            writeln!(
                text,
                "              x-amazon-apigateway-integration:
                type: aws_proxy
                httpMethod: POST
                payloadFormatVersion: \"2.0\"
                credentials: !GetAtt IamApiRole.Arn
                uri: !Sub arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{function}Function.Arn}}:live/invocations"
            )
            .unwrap();
        }
    }
    text.push_str(
        "
  IamApiRole:
    Type: AWS::IAM::Role
    Condition: TakesIamCallers
    Properties:
      Description: Invokes the functions behind the API for callers of AWS
      Path: !Sub /countersign/${Environment}/
      PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundary, !Ref AWS::NoValue]
      AssumeRolePolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - { Effect: Allow, Principal: { Service: apigateway.amazonaws.com }, Action: sts:AssumeRole }
      Policies:
        - PolicyName: invoke
          PolicyDocument:
            Version: \"2012-10-17\"
            Statement:
              - Effect: Allow
                Action: lambda:InvokeFunction
                Resource:
",
    );
    let invoked: BTreeSet<_> = routes().iter().map(|route| capitalized(route.function)).collect();
    for function in invoked {
        writeln!(text, "                  - !Sub \"${{{function}Function.Arn}}:live\"").unwrap();
    }
    text
}

/// All that is made, between its two marks.
fn generated() -> String {
    let mut text = String::new();
    for (slug, summary) in functions_behind_routes() {
        text.push_str(&function(slug, summary));
        text.push_str(&role_and_log(slug));
    }
    for slug in SWEEPS.into_iter().chain(EXECUTORS) {
        text.push_str(&role_and_log(slug));
    }
    text.push_str(&generated_dashboard::dashboard());
    text.push_str(&role_and_log(DASHBOARD));
    text.push_str(&generated_mcp::mcp());
    text.push_str(&role_and_log(MCP));
    text.push_str(&iam_api());
    text
}

#[test]
fn the_template_has_what_follows_from_operations_and_manifests() {
    let path = root().join("infra/template.yaml");
    let committed = fs::read_to_string(&path).unwrap();
    let (before, rest) = committed.split_once(BEGIN).expect("the mark of the beginning");
    let (title, rest) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once(END).expect("the mark of the end");
    let made = format!("{before}{BEGIN}{title}\n{}\n{END}{after}", generated());
    if made != committed {
        fs::create_dir_all(root().join("target")).unwrap();
        fs::write(root().join("target/template.yaml"), made).unwrap();
        panic!("infra/template.yaml is out of date: cp target/template.yaml infra/template.yaml");
    }
    let mut slugs = routes().iter().map(|route| route.function.to_owned()).collect::<Vec<_>>();
    slugs.extend(SWEEPS.into_iter().chain(EXECUTORS).chain([DASHBOARD, MCP]).map(str::to_owned));
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs, functions());
}
