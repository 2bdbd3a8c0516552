"""What SAM makes of infra/template.yaml, which is what CloudFormation gets: roles and their statements, routes and
their authorizers, who may invoke, publish and change. Run by infra/check."""

import json
import logging
import os
import re
import tomllib
import unittest
from fnmatch import fnmatchcase
from pathlib import Path

os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"
logging.disable(logging.WARNING)

from samcli.lib.cfn_language_extensions.sam_integration import expand_language_extensions  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = sorted(folder.name for folder in (ROOT / "functions").iterdir())
SWEEPS = ["deliver", "expire", "notify", "seal"]
# What answers files, and is no operation of the API.
FILES = {"/v1/approvals/{id}/evidence": "evidence", "/v1/log/{path+}": "log"}
# Other paths of operations, which the description has once.
OTHER_NAMES = ["/v1/webhooks/{webhook_id}/logs"]
# Callers of the API, there on condition.
EXECUTORS = ["rds-executor"]
# The pages of the dashboard, as the code has them.
PAGES = re.findall(r'\("(GET|POST)", (?:"([^"]+)"|oidc::(\w+))\),', (ROOT / "crates/dashboard/src/dashboard.rs").read_text())
OIDC_PATHS = dict(re.findall(r'const (\w+): &str = "(/[^"]+)";', (ROOT / "crates/dashboard/src/oidc.rs").read_text()))
PAGES = {(method.lower(), path or OIDC_PATHS[constant]) for method, path, constant in PAGES}
# The tools for agents, there on condition.
METADATA = "/.well-known/oauth-protected-resource"
TOOLS = {("post", "/mcp"), ("get", METADATA), ("get", f"{METADATA}/mcp")}
INDEXES = {
    "approvals": ["status-index", "open-index", "requester-index", "instance-index"],
    "audit": ["user-index", "event-type-index", "instance-events-index", "month-index"],
    "deliveries": ["due-index"],
}


class NoManagedPolicies:
    """SAM asks AWS for the names of its managed policies; none is used here."""

    def load(self):
        return {}


def source():
    template = yaml_parse((ROOT / "infra/template.yaml").read_text())
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            # As `sam package` does it.
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": name}
    return template


def transformed():
    """What the second transform alone makes: parameters stay what they are called."""
    template = source()
    template["Transform"] = template["Transform"][1]
    return transform(template, {}, NoManagedPolicies())


def deployed(**values):
    """The resources for values of parameters, after both transforms. The first is that of the SAM CLI, which follows
    CloudFormation's."""
    template = source()
    defaults = {name: parameter.get("Default", "none") for name, parameter in template["Parameters"].items()}
    parameters = defaults | values
    template = expand_language_extensions(template, parameters, enabled=True).expanded_template
    template["Transform"] = template["Transform"][1]
    return transform(template, parameters, NoManagedPolicies())["Resources"]


TEMPLATE = transformed()
RESOURCES = TEMPLATE["Resources"]


def of_type(kind):
    """The properties of the resources of a type, by logical id."""
    return {name: resource.get("Properties", {}) for name, resource in RESOURCES.items() if resource["Type"] == kind}


def each(value):
    return value if isinstance(value, list) else [value]


def logical(slug):
    """The beginning of the names of what belongs to a function."""
    return "".join(word.capitalize() for word in slug.split("-"))


def attribute(name, of="Arn"):
    return {"Fn::GetAtt": [name, of]}


def text(value):
    return json.dumps(value, sort_keys=True)


def unconditional(statements):
    """All statements, those too that depend on a condition."""
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


TABLES = {"approvals": "rds-approvals", "audit": "audit-log", "outbox": "approvals-outbox", "deliveries": "approvals-deliveries"}


def table_arn(name, part=""):
    account = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": account + ":table/" + TABLES[name] + "-${Environment}${TableSuffix}" + part}


def routes_of(slugs):
    """The ARNs of operations of the API for callers who sign, by the description of the API."""
    account = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${IamApi}"
    described = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    routes = {
        operation["operationId"]: f"{account}/*/{method.upper()}{path.replace('{id}', '*')}"
        for path, methods in described.items()
        for method, operation in methods.items()
        if method in ("get", "put", "post", "delete", "patch")
    }
    return {text({"Fn::Sub": routes[slug]}) for slug in slugs}


def arns_of_rds(name):
    """What of RDS a manifest names."""
    kinds = {"rds-snapshots": ["snapshot"], "rds-groups": ["og", "pg", "subgrp"]}
    if name == "rds":
        return ["*"]
    if name == "rds-targets":
        return [{"Fn::Split": [",", {"Ref": "RdsExecutorArns"}]}]
    return [{"Fn::Sub": "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:%s:*" % kind} for kind in kinds[name]]


def arn_of(slug, name):
    """The ARN of what a manifest names, and its service."""
    if name in TABLES:
        return "dynamodb", table_arn(name)
    for table, indexes in INDEXES.items():
        if name in indexes:
            return "dynamodb", table_arn(table, "/index/" + name)
    key = {"Fn::If": ["MakesDeploymentKey", {"Ref": "DeploymentKeySecret"}, {"Ref": "DeploymentKeyArn"}]}
    if name in SIGNING_KEYS:
        return "kms", ALL_KEYS
    if name in ("log-bucket", "log-objects"):
        objects = "/*" if name == "log-objects" else ""
        own = {"Fn::Sub": "${LogBucket.Arn}/*"} if objects else attribute("LogBucket")
        return "s3", {"Fn::If": ["MakesLogBucket", own, {"Fn::Sub": "arn:${AWS::Partition}:s3:::${LogBucketName}" + objects}]}
    # Which state machines and functions there are is a parameter; none is named here.
    none = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s:none/none"
    machines = {"Fn::If": ["HasStateMachines", {"Ref": "StateMachineArns"}, {"Fn::Sub": none % ("states", "stateMachine")}]}
    functions = {"Fn::If": ["HasDurableFunctions", {"Ref": "DurableFunctionArns"}, {"Fn::Sub": none % ("lambda", "function")}]}
    key_of_visitors = {"Ref": "VisitorKeySecret"}
    no_secret = {"Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:none"}
    # What destinations of notifications.toml take is a parameter each.
    destinations = {
        "destination-topics": ("Topics", "TopicArns", "sns", "none/none"),
        "destination-event-buses": ("EventBuses", "EventBusArns", "events", "event-bus/none/none/none"),
        "destination-email-identities": ("EmailIdentities", "EmailIdentityArns", "ses", "identity/none/none"),
        "destination-secrets": ("Secrets", "SecretArns", "secretsmanager", "secret:none"),
    }
    if name in destinations:
        condition, parameter, service, none = destinations[name]
        absent = {"Fn::Sub": "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s" % (service, none)}
        return service, {"Fn::If": ["HasDestination" + condition, {"Ref": "Destination" + parameter}, absent]}
    return {
        "client-secret": ("secretsmanager", {"Fn::If": ["HasClientSecret", {"Ref": "OidcClientSecretArn"}, no_secret]}),
        "cookie-key": ("secretsmanager", {"Ref": "CookieKeySecret"}),
        # The dashboard and its key are there on the same condition.
        "visitor-key": (
            "secretsmanager",
            key_of_visitors if slug == "dashboard" else {"Fn::If": ["HasDashboard", key_of_visitors, no_secret]},
        ),
        "topic": ("sns", {"Ref": "NotificationsTopic"}),
        "deployment-key": ("secretsmanager", key),
        "state-machines": ("states", machines),
        "durable-functions": ("lambda", functions),
        "monitoring-role": ("iam", MONITORING_ROLE),
    }[name]


MONITORING_ROLE = {
    "Fn::If": [
        "HasRdsMonitoringRole",
        {"Ref": "RdsMonitoringRoleArn"},
        {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/none/none"},
    ]
}
PASSED_TO_MONITORING = {"StringEquals": {"iam:PassedToService": "monitoring.rds.amazonaws.com"}}
ALL_KEYS = {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*"}
SIGNING_KEYS = {
    f"{purpose}-keys": {
        "ForAnyValue:StringLike": {"kms:ResourceAliases": {"Fn::Sub": "alias/countersign-${Environment}-%s-*" % purpose}}
    }
    for purpose in ("permit", "log", "evidence")
}


def expected_grants(slug):
    """What a role is to grant: pairs of an action and a resource."""
    manifest = tomllib.loads((ROOT / "functions" / slug / "Cargo.toml").read_text())
    grants = set()
    for name, actions in manifest["package"]["metadata"]["grants"].items():
        if name == "api":
            grants |= {("execute-api:Invoke", route) for route in routes_of(actions)}
            continue
        if name.startswith("rds"):
            grants |= {(f"rds:{action}", text(arn)) for action in actions for arn in arns_of_rds(name)}
            continue
        service, arn = arn_of(slug, name)
        grants |= {(f"{service}:{action}", text(arn)) for action in actions}
        if service == "s3" and "PutObject" in actions:
            grants.add(("kms:GenerateDataKey", text({"Ref": "KeyArn"})))
        if name == "topic":
            grants |= {(f"kms:{action}", text(attribute("NotificationsKey"))) for action in ("Decrypt", "GenerateDataKey")}
    logs = text(attribute(f"{logical(slug)}Logs"))
    grants |= {("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)}
    streamed = {"notify": "outbox", "deliver": "deliveries"}
    if slug in streamed:
        stream = text(table_arn(streamed[slug], "/stream/*"))
        reads = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
        grants |= {(f"dynamodb:{action}", stream) for action in reads}
    return grants


def statements_of(role):
    return unconditional(statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"])


def granted(role):
    """What the inline policies of a role grant, as `expected_grants`."""
    return {
        (action, text(resource))
        for statement in statements_of(role)
        for action in each(statement["Action"])
        for resource in each(statement["Resource"])
    }


class Roles(unittest.TestCase):
    def test_every_function_has_a_role_of_its_own(self):
        functions = of_type("AWS::Lambda::Function")
        self.assertEqual(sorted(functions), sorted(f"{logical(slug)}Function" for slug in FUNCTIONS))
        for slug in FUNCTIONS:
            role = attribute(f"{logical(slug)}Role")
            self.assertEqual(functions[f"{logical(slug)}Function"]["Role"], role)

    def test_there_are_no_other_roles_and_each_is_for_one_service(self):
        trusted = {
            name: [statement["Principal"] for statement in role["AssumeRolePolicyDocument"]["Statement"]]
            for name, role in of_type("AWS::IAM::Role").items()
        }
        expected = {f"{logical(slug)}Role": [{"Service": "lambda.amazonaws.com"}] for slug in FUNCTIONS}
        expected["SchedulesRole"] = [{"Service": "scheduler.amazonaws.com"}]
        expected["RolloutRole"] = [{"Service": "codedeploy.amazonaws.com"}]
        expected["IamApiRole"] = [{"Service": "apigateway.amazonaws.com"}]
        self.assertEqual(trusted, expected)

    def test_a_role_grants_what_the_manifest_says_and_nothing_else(self):
        for slug in FUNCTIONS:
            with self.subTest(slug):
                role = RESOURCES[f"{logical(slug)}Role"]["Properties"]
                self.assertEqual(granted(role), expected_grants(slug))
                manifest = tomllib.loads((ROOT / "functions" / slug / "Cargo.toml").read_text())
                # A key is named by its aliases, which move from key to key. What may be done differs by what it signs.
                keys = {
                    (text(SIGNING_KEYS[name]), text(sorted(f"kms:{action}" for action in actions)))
                    for name, actions in manifest["package"]["metadata"]["grants"].items()
                    if name in SIGNING_KEYS
                }
                found = set()
                for statement in statements_of(role):
                    if each(statement["Resource"]) == [ALL_KEYS]:
                        found.add((text(statement["Condition"]), text(sorted(statement["Action"]))))
                    else:
                        is_pass = statement["Action"] == ["iam:PassRole"]
                        self.assertEqual(statement.get("Condition"), PASSED_TO_MONITORING if is_pass else None)
                    self.assertLessEqual(set(statement), {"Action", "Condition", "Effect", "Resource"})
                    self.assertEqual(statement["Effect"], "Allow")
                self.assertEqual(found, keys)

    def test_audit_events_are_only_put_and_read(self):
        arn = text(table_arn("audit"))
        for name, role in of_type("AWS::IAM::Role").items():
            on_audit = {action for action, resource in granted(role) if resource == arn}
            permitted = {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Query"}
            if name == "SealRole":
                # Events from before there was a log are found by their streams.
                permitted.add("dynamodb:Scan")
            self.assertLessEqual(on_audit, permitted, name)

    def test_no_policy_of_aws_is_attached_and_nothing_is_granted_on_everything(self):
        on_everything = []
        for name, role in of_type("AWS::IAM::Role").items():
            is_of_function = name not in ("SchedulesRole", "RolloutRole", "IamApiRole")
            self.assertEqual(role.get("ManagedPolicyArns", []), [{"Ref": "FunctionsPolicy"}] * is_of_function, name)
            for action, resource in granted(role):
                self.assertNotIn("*", action, name)
                on_everything += [action] * (resource == '"*"')
            boundary = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
            self.assertEqual(role["PermissionsBoundary"], boundary, name)
        self.assertEqual(list(of_type("AWS::IAM::ManagedPolicy")), ["FunctionsPolicy"])
        self.assertEqual(of_type("AWS::IAM::Policy"), {})
        document = RESOURCES["FunctionsPolicy"]["Properties"]["PolicyDocument"]
        for statement in unconditional(document["Statement"]):
            if statement["Effect"] == "Allow" and statement["Resource"] == "*":
                on_everything += statement["Action"]
        # AWS has no resources for these; those of EC2 are there only in a VPC. Of RDS what is everywhere is only shown.
        services = {action for action in on_everything if not action.startswith(("ec2:", "rds:Describe"))}
        traces = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
        self.assertEqual(services, traces | {"cloudwatch:DescribeAlarms"})

    def test_an_executor_has_no_right_on_what_the_service_is_made_of(self):
        for slug in EXECUTORS:
            role = RESOURCES[f"{logical(slug)}Role"]["Properties"]
            services = {action.split(":")[0] for action, _ in granted(role)}
            self.assertEqual(services, {"execute-api", "iam", "logs", "rds"}, slug)
            called = {resource for action, resource in granted(role) if action == "execute-api:Invoke"}
            decisions = routes_of(["approve", "cancel", "comment", "create", "reject", "withdraw"])
            self.assertEqual(called & decisions, set(), slug)
            names = set(RESOURCES[f"{logical(slug)}Function"]["Properties"]["Environment"]["Variables"])
            of_all = set(source()["Globals"]["Function"]["Environment"]["Variables"])
            own = {"IAM_API_URL", "RDS_EXECUTOR_ARNS", "RDS_MONITORING_ROLE_ARN", "RUST_LOG"}
            self.assertEqual(names - of_all, own, slug)

    def test_the_dashboard_has_no_right_on_what_the_service_is_made_of(self):
        role = RESOURCES["DashboardRole"]["Properties"]
        services = {action.split(":")[0] for action, _ in granted(role)}
        self.assertEqual(services, {"logs", "secretsmanager"})
        read = {resource for action, resource in granted(role) if action == "secretsmanager:GetSecretValue"}
        self.assertNotIn("DeploymentKeySecret", text(sorted(read)))
        own = {name: resource for name, resource in RESOURCES.items() if name.startswith("Dashboard")}
        self.assertGreater(len(own), len(PAGES))
        for name, resource in own.items():
            is_of_name = name in ("DashboardApiDomainName", "DashboardApiMapping")
            condition = "HasDashboardRecord" if name == "DashboardRecord" else "HasDashboard" + "DomainName" * is_of_name
            self.assertEqual(resource.get("Condition"), condition, name)
        for key in ("CookieKeySecret", "VisitorKeySecret"):
            self.assertEqual(RESOURCES[key]["Condition"], "HasDashboard")

    def test_the_tools_for_agents_have_no_right_at_all(self):
        role = RESOURCES["McpRole"]["Properties"]
        self.assertEqual({action.split(":")[0] for action, _ in granted(role)}, {"logs"})
        for name, resource in RESOURCES.items():
            if name.startswith("Mcp"):
                self.assertEqual(resource.get("Condition"), "HasMcp", name)

    def test_an_executor_is_there_on_condition_with_all_that_belongs_to_it(self):
        for slug in EXECUTORS:
            condition = f"Has{logical(slug)}"
            own = {name: resource for name, resource in RESOURCES.items() if name.startswith(logical(slug))}
            self.assertGreater(len(own), 6, slug)
            for name, resource in own.items():
                self.assertEqual(resource.get("Condition"), condition, name)
            function = own[f"{logical(slug)}Function"]["Properties"]
            self.assertEqual(function["ReservedConcurrentExecutions"], 1)
            # A run ends before the next begins.
            self.assertLess(function["Timeout"], 60)
        self.assertEqual(source()["Parameters"]["RdsExecutorArns"]["Default"], "")
        (rule,) = TEMPLATE["Rules"]["RdsExecutorSignsItsCalls"]["Assertions"]
        self.assertEqual(rule["Assert"], {"Fn::Equals": [{"Ref": "IamCallers"}, "true"]})

    def test_schedules_invoke_the_sweeps(self):
        sweeps = {
            ("lambda:InvokeFunction", text({"Fn::Sub": f"${{{logical(slug)}Function.Arn}}:live"}))
            for slug in SWEEPS
        }
        for slug in EXECUTORS:
            alias = {"Fn::Sub": f"${{{logical(slug)}Function.Arn}}:live"}
            invoked = {"Fn::If": [f"Has{logical(slug)}", alias, {"Ref": "AWS::NoValue"}]}
            sweeps.add(("lambda:InvokeFunction", text(invoked)))
        self.assertEqual(granted(RESOURCES["SchedulesRole"]["Properties"]), sweeps)
        for name, schedule in of_type("AWS::Scheduler::Schedule").items():
            self.assertEqual(schedule["Target"]["RoleArn"], attribute("SchedulesRole"), name)


def routes():
    """Path, method, operation and condition of each route of the API."""
    for path, methods in RESOURCES["Api"]["Properties"]["Body"]["paths"].items():
        condition, methods = (methods["Fn::If"] if "Fn::If" in methods else [None, methods])[:2]
        for method, operation in methods.items():
            of_method, operation = (operation["Fn::If"] if "Fn::If" in operation else [None, operation])[:2]
            yield path, method, operation, condition or of_method


class Doors(unittest.TestCase):
    def test_routes_are_those_of_the_api_and_all_but_the_public_ones_ask_for_a_token(self):
        described = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
        expected = {
            (method, path): [] if operation.get("security") == [] else ["Issuer"]
            for path, methods in described.items()
            for method, operation in methods.items()
            if method in ("get", "put", "post", "delete", "patch")
        }
        expected |= {("get", path): ["Issuer"] for path in [*FILES, *OTHER_NAMES]}
        found = {
            (method, path): [name for scheme in operation.get("security", []) for name in scheme]
            for path, method, operation, condition in routes()
            if condition is None
        }
        self.assertEqual(found, expected)
        # A page looks at its own cookies: no authorizer stands before it.
        pages = {(method, path) for path, method, operation, condition in routes() if condition == "HasDashboard"}
        self.assertEqual(pages, PAGES)
        # The function asks the API who calls.
        tools = {(method, path) for path, method, operation, condition in routes() if condition == "HasMcp"}
        self.assertEqual(tools, TOOLS)
        self.assertEqual(len(list(routes())), len(expected) + len(PAGES) + len(TOOLS))
        for path, method, operation, condition in routes():
            if condition is not None:
                self.assertEqual(operation.get("security", []), [], path)
                self.assertIn(f"{condition.removeprefix('Has')}Function", text(operation), path)
        public = [path for (_, path), authorizers in found.items() if not authorizers]
        self.assertEqual(sorted(public), ["/.well-known/jwks.json", "/health", "/openapi.json"])
        # The smoke test counts them on AWS.
        guide = (ROOT / "docs/deploy.md").read_text()
        self.assertIn(f"`{len(found) + len(PAGES)}`, `{len(found) - len(public)}` and `1`", guide)
        self.assertIn(f"with `Dashboard=false` the first is `{len(found)}`", guide)
        self.assertIn(f"with `Mcp=true` there are {len(TOOLS)} more, none of which asks for one", guide)

    def test_the_authorizer_takes_tokens_of_the_issuer_for_the_audience(self):
        schemes = RESOURCES["Api"]["Properties"]["Body"]["components"]["securitySchemes"]
        self.assertEqual(list(schemes), ["Issuer"])
        authorizer = schemes["Issuer"]["x-amazon-apigateway-authorizer"]
        self.assertEqual(authorizer["type"], "jwt")
        self.assertEqual(authorizer["identitySource"], "$request.header.Authorization")
        token = {"issuer": {"Ref": "OidcIssuer"}, "audience": {"Fn::Split": [",", {"Ref": "OidcAudience"}]}}
        self.assertEqual(authorizer["jwtConfiguration"], token)

    def test_origins_are_a_list_whatever_the_parameter_is(self):
        body = RESOURCES["Api"]["Properties"]["Body"]
        condition, cors, otherwise = body["x-amazon-apigateway-cors"]["Fn::If"]
        self.assertEqual((condition, otherwise), ("HasCorsOrigins", {"Ref": "AWS::NoValue"}))
        self.assertEqual(list(cors["allowOrigins"]), ["Fn::Split"])

    def test_a_route_leads_to_its_function_and_only_the_gateway_may_invoke(self):
        for path, _, operation, _ in routes():
            integration = operation["x-amazon-apigateway-integration"]
            self.assertEqual(integration["payloadFormatVersion"], "2.0", path)
            self.assertIn("FunctionAliaslive}/invocations", text(integration["uri"]), path)
        for name, permission in of_type("AWS::Lambda::Permission").items():
            self.assertEqual(permission["Principal"], "apigateway.amazonaws.com", name)
            self.assertIn("${__ApiId__}", text(permission["SourceArn"]), name)
        for kind in ("AWS::Lambda::Url", "AWS::Events::Rule", "AWS::ApiGateway::RestApi"):
            self.assertEqual(of_type(kind), {})
        self.assertEqual(list(of_type("AWS::ApiGatewayV2::Api")), ["Api", "IamApi"])
        self.assertEqual(RESOURCES["IamApi"]["Condition"], "TakesIamCallers")


def policy_of(topic):
    policies = [policy for policy in of_type("AWS::SNS::TopicPolicy").values() if {"Ref": topic} in policy["Topics"]]
    (policy,) = policies
    return unconditional(policy["PolicyDocument"]["Statement"])


def named(statements, sid):
    (statement,) = [statement for statement in statements if statement["Sid"] == sid]
    return statement


class Rollout(unittest.TestCase):
    def test_a_deployment_is_taken_back_when_an_alarm_goes_off(self):
        groups = of_type("AWS::CodeDeploy::DeploymentGroup")
        self.assertEqual(len(groups), len(FUNCTIONS))
        for name, group in groups.items():
            alarms = group["AlarmConfiguration"]
            expected = [{"Name": {"Ref": alarm}} for alarm in ("FaultsAlarm", "FailedRunsAlarm")]
            self.assertEqual((alarms["Enabled"], alarms["Alarms"]), (True, expected), name)
            self.assertIn("DEPLOYMENT_STOP_ON_ALARM", group["AutoRollbackConfiguration"]["Events"], name)
            self.assertEqual(group["ServiceRoleArn"], attribute("RolloutRole"), name)

    def test_a_change_of_a_parameter_is_a_version_of_each_function(self):
        def versions(**values):
            resources = deployed(**values)
            names = {name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"}
            self.assertEqual(len(names), len(FUNCTIONS))
            # Executors, the dashboard and the tools for agents have settings of their own.
            return {name for name in names if not name.startswith(tuple(map(logical, [*EXECUTORS, "dashboard", "mcp"])))}

        # The values are put in before versions get their names.
        self.assertEqual(source()["Transform"], ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"])
        first = versions()
        self.assertEqual(first, versions(), "what has not changed makes no version")
        self.assertEqual(first, versions(LogRetentionDays="7"))
        function = RESOURCES["GetFunction"]["Properties"]
        named = set(re.findall(r'"Ref": "(\w+)"|\$\{(\w+)\}', text(function)))
        parameters = {name for pair in named for name in pair} & set(TEMPLATE["Parameters"])
        # A variable of this function alone: the versions of the others stay.
        parameters -= {"MaxWaitSeconds"}
        self.assertEqual(len(first - versions(MaxWaitSeconds="9")), 1)
        # They come together.
        vpc = ("SubnetIds", "SecurityGroupIds")
        # A part of the function's own name: another environment is another stack.
        parameters -= {"Environment"}
        some = {"Jwks", "OidcAudience", "PolicyDir", "TableSuffix", "PolicyLayerArn", "FunctionMemory"}
        self.assertGreater(parameters, some)
        for parameter in sorted(parameters):
            with self.subTest(parameter):
                before, others = first, {}
                if parameter in vpc:
                    others = dict.fromkeys(vpc, "one")
                    before = versions(**others)
                self.assertFalse(before & versions(**others | {parameter: "another"}))

    def test_what_is_said_for_all_functions_depends_on_no_parameter(self):
        # The first transform leaves this section as it is.
        function = source()["Globals"]["Function"]
        # It is not a part of a version.
        del function["DeploymentPreference"]
        for intrinsic in ("Ref", "Fn::"):
            self.assertNotIn(f'"{intrinsic}', text(function))

    def test_environments_are_kept_ready_where_callers_wait_and_only_if_the_operator_asks(self):
        def ready(**parameters):
            aliases = {
                name.removesuffix("FunctionAliaslive"): resource["Properties"].get("ProvisionedConcurrencyConfig")
                for name, resource in deployed(Dashboard="true", **parameters).items()
                if resource["Type"] == "AWS::Lambda::Alias"
            }
            return {name: value for name, value in aliases.items() if value is not None}

        self.assertEqual(ready(), {})
        self.assertEqual(ready(ProvisionedConcurrency=0), {})
        two = ready(ProvisionedConcurrency=2)
        self.assertEqual({value["ProvisionedConcurrentExecutions"] for value in two.values()}, {2})
        self.assertGreater(set(two), {"Create", "Get", "List", "Approve", "Reject", "Start", "Finish", "Dashboard"})
        self.assertFalse(set(two) & {"Expire", "Notify", "Seal", "Observe", "Evidence", "Log", "Health", "Keys"})

    def test_a_repair_is_deployed_while_an_alarm_rings(self):
        kinds = {resource["Type"] for resource in deployed(WatchedRollout="false").values()}
        self.assertNotIn("AWS::CodeDeploy::DeploymentGroup", kinds)
        self.assertIn("AWS::Lambda::Alias", kinds)
        kinds = {resource["Type"] for resource in deployed(WatchedRollout="true").values()}
        self.assertIn("AWS::CodeDeploy::DeploymentGroup", kinds)


class StateMachine(unittest.TestCase):
    states = yaml_parse((ROOT / "examples/state-machine/template.yaml").read_text())["Resources"]["StateMachine"][
        "Properties"
    ]["Definition"]["States"]

    def test_nothing_in_the_definition_is_null(self):
        # CloudFormation refuses it.
        self.assertNotIn("null", text(self.states))

    def test_a_call_is_tried_again_by_the_same_key_and_the_operation_is_not(self):
        retries = {name: state["Retry"] for name, state in self.states.items() if "Retry" in state}
        self.assertEqual(sorted(retries), ["Ask", "Failed", "Look", "Spend", "Succeeded"])
        for name, retry in retries.items():
            self.assertEqual(retry, retries["Ask"], name)
            if name != "Look":
                self.assertEqual(
                    self.states[name]["Parameters"]["Payload"]["idempotency_key.$"], "$$.Execution.Name", name
                )
        errors = {"TooManyRequestsException", "ServiceException", "AWSLambdaException", "SdkClientException", "Unknown"}
        self.assertLess({f"Lambda.{name}" for name in errors}, set(retries["Ask"][0]["ErrorEquals"]))


class Resources(unittest.TestCase):
    def test_audit_events_are_not_changed_by_any_principal_and_added_by_functions_that_record_them(self):
        statements = RESOURCES["AuditTable"]["Properties"]["ResourcePolicy"]["PolicyDocument"]["Statement"]
        for statement in statements:
            self.assertEqual((statement["Effect"], statement["Principal"]), ("Deny", "*"))
            self.assertEqual(statement["Resource"], table_arn("audit"))
        denied = named(statements, "EventsAreNotChangedOrDeleted")
        self.assertNotIn("Condition", denied)
        changes = ["UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLUpdate", "PartiQLDelete", "PartiQLInsert"]
        changes.append("UpdateTimeToLive")
        self.assertEqual(set(denied["Action"]), {f"dynamodb:{action}" for action in changes})
        added = named(statements, "FunctionsAloneAddEvents")
        path = "/countersign/${Environment}/"
        self.assertEqual(added["Action"], "dynamodb:PutItem")
        self.assertEqual(list(added["Condition"]), ["ArnNotLike"])
        principals = added["Condition"]["ArnNotLike"]["aws:PrincipalArn"]["Fn::Sub"]
        self.assertTrue(principals.endswith(f":role{path}audit/*"), principals)
        for name, role in of_type("AWS::IAM::Role").items():
            # The path that lets a role add events is that of the functions that record them, and of no other role.
            adds_events = ("dynamodb:PutItem", text(table_arn("audit"))) in granted(role)
            self.assertEqual(role["Path"], {"Fn::Sub": path + "audit/" * adds_events}, name)

    def test_what_cannot_be_made_again_outlives_the_stack_but_not_a_first_deployment_that_fails(self):
        kept = {
            name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
            for name, resource in RESOURCES.items()
            if resource["Type"] != "AWS::Lambda::Version" and "DeletionPolicy" in resource
        }
        names = ["ApprovalsTable", "AuditTable", "DeliveriesTable", "OutboxTable"]
        names += ["DeploymentKeySecret", "NotificationsKey", "LogBucket"]
        # The checkpoint after the last one of a stack verifies that by the key that has signed it.
        names += [f"{which}{purpose}Key" for which in ("First", "Second") for purpose in ("Log", "Evidence")]
        self.assertEqual(kept, {name: ("RetainExceptOnCreate", "Retain") for name in names})

    def test_the_log_is_locked_and_written_by_the_sealer_alone(self):
        bucket = RESOURCES["LogBucket"]["Properties"]
        retention = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
        self.assertEqual(retention, {"Mode": "COMPLIANCE", "Days": {"Ref": "AuditRetentionDays"}})
        self.assertEqual((bucket["ObjectLockEnabled"], bucket["VersioningConfiguration"]["Status"]), (True, "Enabled"))
        self.assertEqual(set(bucket["PublicAccessBlockConfiguration"].values()), {True})
        self.assertEqual(TEMPLATE["Parameters"]["AuditRetentionDays"]["Default"], 400)
        self.assertEqual(TEMPLATE["Parameters"]["AuditRetentionDays"]["MinValue"], 365)
        statements = unconditional(RESOURCES["LogBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"])
        objects, checkpoint = {"Fn::Sub": "${LogBucket.Arn}/*"}, {"Fn::Sub": "${LogBucket.Arn}/checkpoint"}
        deleted = named(statements, "NothingIsDeleted")
        self.assertEqual(set(deleted["Action"]), {"s3:DeleteObject", "s3:DeleteObjectVersion"})
        self.assertEqual((deleted["Principal"], deleted["Resource"]), ("*", objects))
        self.assertNotIn("Condition", deleted)
        written = named(statements, "SealAloneWrites")
        self.assertEqual((written["Action"], written["Resource"]), ("s3:PutObject", objects))
        self.assertEqual(written["Condition"], {"ArnNotEquals": {"aws:PrincipalArn": attribute("SealRole")}})
        replaced = named(statements, "NoFileIsReplaced")
        self.assertEqual((replaced["Action"], replaced["NotResource"]), ("s3:PutObject", checkpoint))
        self.assertEqual(replaced["Condition"], {"Null": {"s3:if-none-match": "true"}})
        for statement in statements:
            if statement["Effect"] == "Allow":
                self.assertEqual(statement["Principal"], {"AWS": {"Ref": "AuditorArns"}})
                self.assertIn(statement["Action"], ("s3:GetObject", "s3:ListBucket"))
        writers = {
            name for name, role in of_type("AWS::IAM::Role").items() if any(action == "s3:PutObject" for action, _ in granted(role))
        }
        self.assertEqual(writers, {"SealRole"})

    def test_every_api_has_an_alarm(self):
        watched = [
            (resource.get("Condition"), resource["Properties"]["Dimensions"][0]["Value"])
            for resource in RESOURCES.values()
            if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Properties"].get("MetricName") == "5xx"
        ]
        self.assertEqual(watched, [(None, {"Ref": "Api"}), ("TakesIamCallers", {"Ref": "IamApi"})])

    def test_topics_take_and_deliver_nothing_without_tls(self):
        for topic in ("NotificationsTopic", "AlarmsTopic"):
            self.assertEqual(RESOURCES[topic]["Properties"]["KmsMasterKeyId"], {"Ref": "NotificationsKey"})
            statements = policy_of(topic)
            for sid, actions, condition in (
                ("CallsAreEncrypted", ["sns:Publish", "sns:Subscribe"], {"Bool": {"aws:SecureTransport": "false"}}),
                ("DeliveriesAreEncrypted", ["sns:Subscribe"], {"StringEquals": {"sns:Protocol": "http"}}),
            ):
                denied = named(statements, sid)
                self.assertEqual((denied["Effect"], denied["Principal"]), ("Deny", "*"))
                self.assertEqual(each(denied["Action"]), actions)
                self.assertEqual(denied["Condition"], condition)
            for statement in statements:
                self.assertEqual(statement["Resource"], {"Ref": topic})
                if statement["Effect"] == "Allow":
                    self.assertNotIn("*", text(statement["Principal"]))

    def test_no_secret_is_among_the_variables(self):
        for name, function in of_type("AWS::Lambda::Function").items():
            self.assertNotIn("{{resolve:", text(function["Environment"]), name)

    def test_notify_alone_publishes_events(self):
        statements = policy_of("NotificationsTopic")
        denied = named(statements, "NotifyAlonePublishes")
        self.assertEqual((denied["Effect"], denied["Action"]), ("Deny", "sns:Publish"))
        self.assertEqual(denied["Condition"], {"ArnNotEquals": {"aws:PrincipalArn": attribute("NotifyRole")}})
        for statement in statements:
            if statement["Effect"] == "Allow":
                self.assertNotIn("sns:Publish", each(statement["Action"]))

    def test_the_variables_of_a_function_fit_whatever_the_parameters_are(self):
        # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
        most = 4 * 1024
        for function, properties in of_type("AWS::Lambda::Function").items():
            variables = properties["Environment"]["Variables"]
            # Counted as JSON, which has the quotes of a key set in two characters.
            longest_values = {name: "x" * longest(value) for name, value in variables.items()}
            largest = json.dumps(longest_values, separators=(",", ":"))
            quotes = len(KEY_SET) - len(KEY_SET.replace('"', ""))
            self.assertLessEqual(len(largest) + quotes, most - FOR_MORE, function)

    def test_three_keys_fit_into_the_key_set(self):
        self.assertLessEqual(len(KEY_SET), int(TEMPLATE["Parameters"]["Jwks"]["MaxLength"]))

    def test_the_role_that_deploys_may_handle_every_type_of_resource(self):
        policy = json.loads((ROOT / "infra/deployer-policy.json").read_text())
        document = json.dumps(policy, separators=(",", ":"))
        size = len(document.replace("ACCOUNT", "123456789012").replace("BUCKET", "b" * 63))
        self.assertLess(size, 10240, "inline policies of a role have at most so many characters")
        granted = [action for statement in policy["Statement"] for action in each(statement["Action"])]
        stack = named(policy["Statement"], "Stack")["Resource"]
        for name in source()["Transform"]:
            self.assertIn("arn:aws:cloudformation:*:aws:transform/" + name.removeprefix("AWS::"), stack)
        for role in of_type("AWS::IAM::Role").values():
            # Below the path that the policy has.
            self.assertTrue(role["Path"]["Fn::Sub"].startswith("/countersign/"))
            (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
            passed = named(policy["Statement"], "RolesArePassed")["Condition"]["StringEquals"]["iam:PassedToService"]
            self.assertIn(trusted["Principal"]["Service"], passed)
        for kind in sorted({resource["Type"] for resource in RESOURCES.values()}):
            for action in HANDLED_BY[kind]:
                self.assertTrue(any(fnmatchcase(action, pattern) for pattern in granted), f"{kind}: {action}")


# For each type, actions that making, changing and deleting it take.
HANDLED_BY = {
    "AWS::ApiGatewayV2::Api": ["apigateway:POST", "apigateway:PATCH", "apigateway:PUT", "apigateway:DELETE"],
    "AWS::ApiGatewayV2::ApiMapping": ["apigateway:POST", "apigateway:DELETE"],
    "AWS::ApiGatewayV2::DomainName": ["apigateway:POST", "apigateway:PATCH", "apigateway:DELETE"],
    "AWS::CodeDeploy::Application": ["codedeploy:CreateApplication", "codedeploy:DeleteApplication"],
    "AWS::CodeDeploy::DeploymentGroup": ["codedeploy:CreateDeploymentGroup", "codedeploy:CreateDeployment"],
    "AWS::Lambda::Alias": ["lambda:CreateAlias", "lambda:UpdateAlias", "lambda:DeleteAlias"],
    "AWS::S3::Bucket": [
        "s3:CreateBucket",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
    ],
    "AWS::S3::BucketPolicy": ["s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucketPolicy"],
    "AWS::Lambda::Version": ["lambda:PublishVersion"],
    "AWS::ApiGatewayV2::Stage": ["apigateway:POST", "logs:CreateLogDelivery", "apigateway:TagResource"],
    "AWS::CloudWatch::Alarm": ["cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"],
    "AWS::CloudWatch::Dashboard": ["cloudwatch:PutDashboard", "cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards"],
    "AWS::DynamoDB::Table": [
        "dynamodb:CreateTable", "dynamodb:UpdateTable", "dynamodb:DeleteTable", "dynamodb:DescribeTable",
        "dynamodb:UpdateContinuousBackups", "dynamodb:PutResourcePolicy", "dynamodb:GetResourcePolicy",
        "dynamodb:TagResource",
    ],
    "AWS::IAM::ManagedPolicy": ["iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy"],
    "AWS::IAM::Role": ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PassRole", "iam:DeleteRole"],
    "AWS::KMS::Alias": ["kms:CreateAlias", "kms:DeleteAlias"],
    "AWS::KMS::Key": ["kms:CreateKey", "kms:EnableKeyRotation", "kms:PutKeyPolicy", "kms:TagResource"],
    "AWS::Lambda::EventInvokeConfig": ["lambda:PutFunctionEventInvokeConfig", "lambda:DeleteFunctionEventInvokeConfig"],
    "AWS::Lambda::EventSourceMapping": ["lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping"],
    "AWS::Lambda::Function": ["lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"],
    "AWS::Lambda::Permission": ["lambda:AddPermission", "lambda:RemovePermission"],
    "AWS::Logs::LogGroup": ["logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup"],
    "AWS::Logs::MetricFilter": ["logs:PutMetricFilter", "logs:DeleteMetricFilter"],
    "AWS::SNS::Subscription": ["sns:Subscribe", "sns:Unsubscribe"],
    "AWS::SNS::Topic": ["sns:CreateTopic", "sns:SetTopicAttributes", "sns:DeleteTopic"],
    "AWS::SNS::TopicPolicy": ["sns:SetTopicAttributes"],
    "AWS::Route53::RecordSet": ["route53:ChangeResourceRecordSets", "route53:GetChange", "route53:GetHostedZone"],
    "AWS::Scheduler::Schedule": ["scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule"],
    "AWS::SecretsManager::Secret": ["secretsmanager:CreateSecret", "secretsmanager:GetSecretValue"],
}


# RSA keys of 2048 bits with what docs/deploy.md leaves of them.
KEY = {"kty": "RSA", "kid": "k" * 44, "use": "sig", "alg": "RS256", "n": "n" * 342, "e": "AQAB"}
KEY_SET = json.dumps({"keys": [KEY] * 3}, separators=(",", ":"))
# Room for two more short variables.
FOR_MORE = 60


def longest(value):
    """The most characters that the value of a variable can have."""
    if isinstance(value, str):
        return len(value)
    if "Fn::If" in value:
        return max(longest(one) for one in value["Fn::If"][1:])
    if "Fn::Sub" in value:
        names = re.findall(r"\$\{(\w+)\}", value["Fn::Sub"])
        return len(re.sub(r"\$\{\w+\}", "", value["Fn::Sub"])) + sum(longest({"Ref": name}) for name in names)
    name = value["Ref"]
    if name in RESOURCES:
        return len("arn:aws-us-gov:sns:us-gov-west-1:123456789012:countersign--events") + 16
    parameter = TEMPLATE["Parameters"][name]
    if "AllowedValues" in parameter:
        return max(len(str(one)) for one in parameter["AllowedValues"])
    if parameter["Type"] == "Number":
        return len(str(parameter["MaxValue"]))
    return int(parameter["MaxLength"])


if __name__ == "__main__":
    unittest.main()
