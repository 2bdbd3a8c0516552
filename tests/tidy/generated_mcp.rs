//! The part of the infrastructure template that follows from the tools for agents: their function and its routes.

use super::generated::READY;
use super::generated_routes::http_route;
use countersign_mcp::http::PATH;
use countersign_mcp::resource::METADATA_PATH;
use serde_json::{Value, json};

/// The function of the tools for agents: another caller of the API, there on condition.
pub(super) const MCP: &str = "mcp";

/// The function of the tools, with its routes. No authorizer stands before them: the function asks the API who calls, and answers a
/// stranger with where the resource says what it is, which the gateway's own refusal does not say (RFC 9728 section 5.1).
pub(super) fn mcp() -> String {
    let mut text = "
  McpFunction:
    # A caller of the API like others, with the tokens of agents: nothing is given to it.
    Type: AWS::Serverless::Function
    Condition: HasMcp
    Metadata:
      BuildMethod: rust-cargolambda
    Properties:
      FunctionName: !Sub countersign-${Environment}-mcp
      Description: Tools for agents
      CodeUri: ../functions/mcp
      Role: !GetAtt McpRole.Arn
      AutoPublishAliasAllProperties: true
      LoggingConfig: { LogFormat: Text, LogGroup: !Ref McpLogs }
      # It waits for functions of the API, which may have to start, and for approvers.
      Timeout: 29
{READY}      MemorySize: !Ref FunctionMemory
      VpcConfig: !If [InVpc, { SubnetIds: !Ref SubnetIds, SecurityGroupIds: !Ref SecurityGroupIds }, !Ref AWS::NoValue]
      KmsKeyArn: !If [HasKey, !Ref KeyArn, !Ref AWS::NoValue]
      Environment:
        Variables:
          ENVIRONMENT: !Ref Environment
          # Without a name of the operator's the tools are where the event says that the gateway was called.
          MCP_URL: !If [HasDomainName, !Sub \"https://${DomainName}\", \"\"]
          API_URL: \"\"
          DASHBOARD_URL: !If
            - HasDashboardUrl
            - !Ref DashboardUrl
            - !If
              - HasDashboardDomainName
              - !Sub https://${DashboardDomainName}
              - !If [HasDomainName, !Sub \"https://${DomainName}\", \"\"]
          OIDC_ISSUER: !Ref OidcIssuer
          MCP_AS_HUMAN: !Ref McpAsHuman
          RUST_LOG: !Ref LogLevel
      Events:
"
    .replace("{READY}", READY);
    let nested = format!("{METADATA_PATH}{PATH}");
    let routes =
        [("Call", "POST", PATH), ("Metadata", "GET", METADATA_PATH), ("MetadataOfPath", "GET", &nested)];
    for (name, method, path) in routes {
        text.push_str(&http_route(name, method, path));
    }
    text
}

/// The variables of the function that are not for all.
pub(super) fn variables() -> [(&'static str, Value); 4] {
    let sub = |text: &str| json!({ "!Sub": text });
    let of_api = json!({ "!If": ["HasDomainName", sub("https://${DomainName}"), ""] });
    let of_dashboard =
        json!({ "!If": ["HasDashboardDomainName", sub("https://${DashboardDomainName}"), of_api] });
    let url = json!({ "!If": ["HasDashboardUrl", { "!Ref": "DashboardUrl" }, of_dashboard] });
    [
        ("API_URL", json!("")),
        ("DASHBOARD_URL", url),
        ("MCP_AS_HUMAN", json!({ "!Ref": "McpAsHuman" })),
        ("MCP_URL", of_api),
    ]
}
