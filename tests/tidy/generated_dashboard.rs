//! The part of the infrastructure template that follows from the pages of the dashboard: its function and its routes.

use super::generated::{READY, capitalized};
use super::generated_routes::http_route;
use countersign_dashboard::ROUTES;
use serde_json::{Value, json};

/// The function of the dashboard: a caller of the API as well, there on condition.
pub(super) const DASHBOARD: &str = "dashboard";

/// The function of the dashboard, with the routes of its pages. They take no token: a page looks at its own cookies.
pub(super) fn dashboard() -> String {
    let mut text = "
  DashboardFunction:
    # A caller of the API like others (docs/adr/0051-the-dashboard-on-aws.md): no table, no topic and no policy is given to it.
    Type: AWS::Serverless::Function
    Condition: HasDashboard
    Metadata:
      BuildMethod: rust-cargolambda
    Properties:
      FunctionName: !Sub countersign-${Environment}-dashboard
      Description: The web dashboard
      CodeUri: ../functions/dashboard
      Role: !GetAtt DashboardRole.Arn
      AutoPublishAliasAllProperties: true
      LoggingConfig: { LogFormat: Text, LogGroup: !Ref DashboardLogs }
      # It waits for functions of the API, which may have to start.
      Timeout: 29
{READY}      MemorySize: !Ref FunctionMemory
      VpcConfig: !If [InVpc, { SubnetIds: !Ref SubnetIds, SecurityGroupIds: !Ref SecurityGroupIds }, !Ref AWS::NoValue]
      KmsKeyArn: !If [HasKey, !Ref KeyArn, !Ref AWS::NoValue]
      Environment:
        Variables:
          ENVIRONMENT: !Ref Environment
          # Without a name of the operator's the pages are where the event says that the gateway was called.
          DASHBOARD_URL: !If
            - HasDashboardDomainName
            - !Sub https://${DashboardDomainName}
            - !If [HasDomainName, !Sub \"https://${DomainName}\", \"\"]
          API_URL: \"\"
          TICKET_URL: !Ref TicketUrl
          TICKET_HOURS: !Ref TicketHours
          OIDC_ISSUER: !Ref OidcIssuer
          OIDC_AUDIENCE: !Ref OidcAudience
          OIDC_CLIENT_ID: !Ref OidcClientId
          OIDC_SCOPE: !Ref OidcScope
          OIDC_SIGN_IN_ORIGINS: !Ref OidcSignInOrigins
          OIDC_CLIENT_SECRET: !Ref OidcClientSecretArn
          COOKIE_KEY_SECRET: !Ref CookieKeySecret
          VISITOR_KEY_SECRET: !Ref VisitorKeySecret
          RUST_LOG: !Ref LogLevel
      Events:
"
    .replace("{READY}", READY);
    for (method, path) in ROUTES {
        let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let name: String = words.map(capitalized).collect();
        let method_name = capitalized(&method.to_lowercase());
        text.push_str(&http_route(&format!("{method_name}{name}"), method, path));
    }
    text
}

/// The variables of the function that are not for all, but for the key by which calls are known.
pub(super) fn variables() -> [(&'static str, Value); 9] {
    let reference = |name: &str| json!({ "!Ref": name });
    let of_api = json!({ "!If": ["HasDomainName", { "!Sub": "https://${DomainName}" }, ""] });
    let url =
        json!({ "!If": ["HasDashboardDomainName", { "!Sub": "https://${DashboardDomainName}" }, of_api] });
    [
        ("API_URL", json!("")),
        ("COOKIE_KEY_SECRET", reference("CookieKeySecret")),
        ("DASHBOARD_URL", url),
        ("OIDC_CLIENT_ID", reference("OidcClientId")),
        ("OIDC_CLIENT_SECRET", reference("OidcClientSecretArn")),
        ("OIDC_SCOPE", reference("OidcScope")),
        ("OIDC_SIGN_IN_ORIGINS", reference("OidcSignInOrigins")),
        ("TICKET_HOURS", reference("TicketHours")),
        ("TICKET_URL", reference("TicketUrl")),
    ]
}
