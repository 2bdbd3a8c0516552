//! What the destinations of `notifications.toml` take of AWS, in the template: each is a list of ARNs that the operator gives.

/// What destinations of `notifications.toml` take: topics, event buses, senders of e-mail, secrets; where none is named, one that
/// there cannot be.
const DESTINATION_TOPICS: &str = "!If [HasDestinationTopics, !Ref DestinationTopicArns, \
    !Sub \"arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:none/none\"]";
const DESTINATION_EVENT_BUSES: &str = "!If [HasDestinationEventBuses, !Ref DestinationEventBusArns, \
    !Sub \"arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/none/none/none\"]";
const DESTINATION_EMAIL_IDENTITIES: &str = "!If [HasDestinationEmailIdentities, !Ref DestinationEmailIdentityArns, \
    !Sub \"arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/none/none\"]";
const DESTINATION_SECRETS: &str = "!If [HasDestinationSecrets, !Ref DestinationSecretArns, \
    !Sub \"arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:none\"]";

/// Whether a grant of a manifest is for destinations.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with("destination-")
}

/// The service and the resources of such a grant.
pub(super) fn grant(name: &str) -> (&'static str, Vec<String>) {
    let (service, resources) = match name {
        "destination-topics" => ("sns", DESTINATION_TOPICS),
        "destination-event-buses" => ("events", DESTINATION_EVENT_BUSES),
        "destination-email-identities" => ("ses", DESTINATION_EMAIL_IDENTITIES),
        "destination-secrets" => ("secretsmanager", DESTINATION_SECRETS),
        _ => panic!("no destinations take {name}"),
    };
    (service, vec![resources.to_owned()])
}
