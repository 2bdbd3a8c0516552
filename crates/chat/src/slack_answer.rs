//! What the error codes of Slack mean, in answers of incoming webhooks and of the Web API.

use countersign_delivery::outcome::FailureClass;

/// The class of an error code; `None` for those that are not known here.
///
/// Sources: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors> and the pages of the
/// methods, such as <https://docs.slack.dev/reference/methods/chat.postMessage>.
pub(crate) fn class_of_code(code: &str) -> Option<FailureClass> {
    let class = match code {
        // The place is gone, or the address of a webhook is taken back.
        "no_service"
        | "no_service_id"
        | "no_active_hooks"
        | "no_team"
        | "team_disabled"
        | "channel_not_found"
        | "channel_is_archived"
        | "is_archived" => FailureClass::Gone,
        // The operator has to act: a token, a permission, a setting of the workspace, an invitation to a channel.
        "invalid_token"
        | "action_prohibited"
        | "posting_to_general_channel_denied"
        | "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "no_permission"
        | "missing_scope"
        | "not_allowed_token_type"
        | "access_denied"
        | "accesslimited"
        | "ekm_access_denied"
        | "enterprise_is_restricted"
        | "org_login_required"
        | "two_factor_setup_required"
        | "team_access_not_granted"
        | "not_in_channel"
        | "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel"
        | "restricted_action_non_threadable_channel" => FailureClass::Credentials,
        // Slack is overloaded or away.
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "rollup_error"
        | "fatal_error"
        | "internal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => FailureClass::Overloaded,
        // The message, or whom it is for.
        "invalid_payload"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "invalid_metadata_format"
        | "invalid_metadata_schema"
        | "metadata_too_large"
        | "missing_text_or_fallback_or_attachments"
        | "no_text"
        | "msg_too_long"
        | "msg_blocks_too_long"
        | "too_many_attachments"
        | "message_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "user_not_found"
        | "users_not_found"
        | "user_disabled"
        | "user_not_visible"
        | "cannot_dm_bot"
        | "invalid_arguments"
        | "invalid_json"
        | "json_not_object"
        | "invalid_form_data"
        | "invalid_cursor" => FailureClass::Refused,
        _ => return None,
    };
    Some(class)
}
