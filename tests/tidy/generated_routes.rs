//! A route of the infrastructure template, as every function with routes has it.

/// A route of the API to a function.
pub(super) fn http_route(name: &str, method: &str, path: &str) -> String {
    format!(
        "        {name}:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: {method}
            Path: {path}
            PayloadFormatVersion: \"2.0\"
"
    )
}
