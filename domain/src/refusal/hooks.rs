//! The rows about hooks (`contract/platform.md` §4).

use std::borrow::Cow;

use super::{DatabaseError, Wire};

refusals! {
    /// A refusal of a hook, or for want of its answer.
    HookRefusal:
    /// The hook's own words, with the status it asks for.
    Rejected(status: u16, message: String) => *status, "" message.clone();
    /// The hook could not be asked: no code of its own; holds the text.
    Failed(message: String) => 500, "unexpected_failure" message.clone();
    /// The deadline over all attempts has passed.
    Timeout => 422, "hook_timeout" "Failed to reach hook within maximum time of 5.000000 seconds";
    /// The last attempt failed.
    TimeoutAfterRetry => 422, "hook_timeout_after_retry" "Failed to reach hook after maximum retries";
    /// The answer has no type, or another; holds the text.
    ContentType(message: String) => 400, "hook_payload_invalid_content_type" message.clone();
    /// The answer is too large.
    PayloadTooLarge => 422, "hook_payload_over_size_limit" "Payload size exceeded size limit of 204800 bytes";
    /// A function of the project's database raised; holds SQLSTATE, message, detail, hint and the hook's URI. Legacy
    /// clients see the database's words where the contract lets them (`contract/core.md` §2.1).
    Raised(_raised: DatabaseError, uri: String) => 500, "unexpected_failure"
        format!("Error running hook URI: {uri}");
    /// The custom-access-token hook gave no claims.
    ClaimsMissing => 500, "unexpected_failure" "output claims field is missing";
    /// The claims of the custom-access-token hook are not those of an access token; holds one line for each problem.
    ClaimsInvalid(problems: Vec<String>) => 500, "unexpected_failure"
        format!("output claims do not conform to the expected schema: \n{}", lines(problems));
    /// The password-verification hook said no; holds its words.
    PasswordAttempt(message: String) => 400, "invalid_credentials" message.clone();
    /// Called when an account was made, and failed.
    AfterUserCreated => 500, "unexpected_failure" "Error invoking hook";
}

/// One list item a line.
fn lines(items: &[String]) -> String {
    items.iter().map(|item| format!("- {item}\n")).collect()
}
