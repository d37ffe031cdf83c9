use domain::refusal::{HookRefusal, WeakPassword, WeakReason};
use http_body_util::BodyExt;

use super::*;

async fn rendered(failure: Failure, version: ApiVersion) -> String {
    let response = render(failure.into_response(), version, "the-request", &Method::POST);
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut headers: Vec<_> =
        parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    headers.sort();
    format!("{}\n{}\n{}", parts.status, headers.join("\n"), String::from_utf8(body.to_vec()).unwrap())
}

fn weak() -> Failure {
    let message = "Password should be at least 6 characters.".to_owned();
    Refusal::WeakPassword(WeakPassword { message, reasons: vec![WeakReason::Length, WeakReason::Characters] }).into()
}

#[test]
fn only_dates_from_2024_on_ask_for_the_new_shape() {
    let version = |text: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(VERSION, HeaderValue::from_static(text));
        ApiVersion::of(&headers)
    };
    assert_eq!(ApiVersion::of(&HeaderMap::new()), ApiVersion::Legacy);
    for dated in ["2024-01-01", "2025-06-30", "2024-02-29", "9999-12-31"] {
        assert_eq!(version(dated), ApiVersion::Dated, "{dated}");
    }
    for legacy in
        ["2023-12-31", "latest", "", "2024-1-1", "2024-13-01", "2023-02-29", "2025-02-29", "2024-01-01x", "2024-01"]
    {
        assert_eq!(version(legacy), ApiVersion::Legacy, "{legacy}");
    }
}

#[tokio::test]
async fn a_refusal_in_both_shapes() {
    insta::assert_snapshot!(rendered(Refusal::InvalidCredentials.into(), ApiVersion::Legacy).await, @r#"
    400 Bad Request
    content-type: application/json
    x-sb-error-code: invalid_credentials
    {"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"}
    "#);
    insta::assert_snapshot!(rendered(Refusal::InvalidCredentials.into(), ApiVersion::Dated).await, @r#"
    400 Bad Request
    content-type: application/json
    x-sb-error-code: invalid_credentials
    x-supabase-api-version: 2024-01-01
    {"code":"invalid_credentials","message":"Invalid login credentials"}
    "#);
}

#[tokio::test]
async fn a_hook_chooses_its_status_and_its_code_is_filled_in() {
    let rejected = |status| Failure::from(Refusal::from(HookRefusal::Rejected(status, "not today".to_owned())));
    insta::assert_snapshot!(rendered(rejected(403), ApiVersion::Legacy).await, @r#"
    403 Forbidden
    content-type: application/json
    {"code":403,"error_code":"unknown","msg":"not today"}
    "#);
    insta::assert_snapshot!(rendered(rejected(500), ApiVersion::Legacy).await, @r#"
    500 Internal Server Error
    content-type: application/json
    {"code":500,"error_code":"unexpected_failure","msg":"not today","error_id":"the-request"}
    "#);
    insta::assert_snapshot!(rendered(rejected(100), ApiVersion::Dated).await, @r#"
    500 Internal Server Error
    content-type: application/json
    x-supabase-api-version: 2024-01-01
    {"code":"unexpected_failure","message":"not today"}
    "#);
}

#[tokio::test]
async fn a_weak_password_lists_its_reasons() {
    insta::assert_snapshot!(rendered(weak(), ApiVersion::Legacy).await, @r#"
    422 Unprocessable Entity
    content-type: application/json
    x-sb-error-code: weak_password
    {"code":422,"error_code":"weak_password","msg":"Password should be at least 6 characters.","weak_password":{"reasons":["length","characters"]}}
    "#);
    insta::assert_snapshot!(rendered(weak(), ApiVersion::Dated).await, @r#"
    422 Unprocessable Entity
    content-type: application/json
    x-supabase-api-version: 2024-01-01
    {"code":"weak_password","message":"Password should be at least 6 characters.","weak_password":{"reasons":["length","characters"]}}
    "#);
}

#[tokio::test]
async fn errors_from_500_on_name_the_request_in_the_legacy_shape() {
    insta::assert_snapshot!(rendered(Failure::Timeout, ApiVersion::Legacy).await, @r#"
    504 Gateway Timeout
    content-type: application/json
    x-sb-error-code: request_timeout
    {"code":504,"error_code":"request_timeout","msg":"Processing this request timed out, please retry after a moment.","error_id":"the-request"}
    "#);
    insta::assert_snapshot!(rendered(Failure::Timeout, ApiVersion::Dated).await, @r#"
    504 Gateway Timeout
    content-type: application/json
    x-sb-error-code: request_timeout
    x-supabase-api-version: 2024-01-01
    {"code":"request_timeout","message":"Processing this request timed out, please retry after a moment."}
    "#);
}

#[tokio::test]
async fn a_fault_tells_nothing_of_its_cause() {
    let fault = || Failure::fault("relation auth.users does not exist");
    insta::assert_snapshot!(rendered(fault(), ApiVersion::Legacy).await, @r#"
    500 Internal Server Error
    content-type: application/json
    {"code":500,"error_code":"unexpected_failure","msg":"Unexpected failure, please check server logs for more information"}
    "#);
    insta::assert_snapshot!(rendered(Failure::Crashed, ApiVersion::Dated).await, @r#"
    500 Internal Server Error
    content-type: application/json
    x-supabase-api-version: 2024-01-01
    {"code":"unexpected_failure","message":"Internal Server Error"}
    "#);
}

#[tokio::test]
async fn what_may_pass_says_when_to_come_back() {
    let overloaded = Failure::Overloaded { retry_after: Duration::from_millis(1200) };
    insta::assert_snapshot!(rendered(overloaded, ApiVersion::Legacy).await, @r#"
    503 Service Unavailable
    content-type: application/json
    retry-after: 2
    x-sb-error-code: service_unavailable
    {"code":503,"error_code":"service_unavailable","msg":"Service is temporarily unavailable, please try again shortly","error_id":"the-request"}
    "#);
    let away = Failure::Unavailable {
        retry_after: Duration::ZERO,
        source: Arc::from(Box::<dyn StdError + Send + Sync>::from("connection refused")),
    };
    insta::assert_snapshot!(rendered(away, ApiVersion::Dated).await, @r#"
    503 Service Unavailable
    content-type: application/json
    retry-after: 1
    x-sb-error-code: service_unavailable
    x-supabase-api-version: 2024-01-01
    {"code":"service_unavailable","message":"Service is temporarily unavailable, please try again shortly"}
    "#);
    // The contract's own limit has no such header.
    let limited = rendered(Refusal::OverRequestRateLimit.into(), ApiVersion::Legacy).await;
    assert!(!limited.contains("retry-after"), "{limited}");
}

#[tokio::test]
async fn limits_of_our_own_say_when_to_come_back() {
    insta::assert_snapshot!(rendered(Refusal::OverAttemptLimit(42).into(), ApiVersion::Legacy).await, @r#"
    429 Too Many Requests
    content-type: application/json
    retry-after: 42
    x-sb-error-code: over_request_rate_limit
    {"code":429,"error_code":"over_request_rate_limit","msg":"Request rate limit reached"}
    "#);
}

#[tokio::test]
async fn legacy_clients_read_what_a_function_raised() {
    let raised = |code: &str, hint: &str| {
        let raised = DatabaseError {
            code: code.to_owned(),
            message: "not you".to_owned(),
            detail: String::new(),
            hint: hint.to_owned(),
        };
        Failure::from(Refusal::from(HookRefusal::Raised(raised, "pg-functions://postgres/public/f".to_owned())))
    };
    insta::assert_snapshot!(rendered(raised("PT403", "ask"), ApiVersion::Legacy).await, @r#"
    403 Forbidden
    content-type: application/json
    x-sb-error-code: unexpected_failure
    {"code":"PT403","message":"not you","hint":"ask"}
    "#);
    let dated = rendered(raised("PT403", ""), ApiVersion::Dated).await;
    assert!(dated.contains("Error running hook URI: pg-functions://postgres/public/f"), "{dated}");
    let hidden = rendered(raised("42883", ""), ApiVersion::Legacy).await;
    assert!(hidden.starts_with("500") && !hidden.contains("not you"), "{hidden}");
}

#[tokio::test]
async fn routes_methods_and_keys() {
    insta::assert_snapshot!(rendered(Failure::NoRoute, ApiVersion::Dated).await, @r"
    404 Not Found
    content-type: text/plain; charset=utf-8
    404 page not found
    ");
    insta::assert_snapshot!(rendered(Failure::MethodNotAllowed("GET, POST".into()), ApiVersion::Dated).await, @r"
    405 Method Not Allowed
    allow: GET, POST
    ");
    insta::assert_snapshot!(rendered(Failure::ApiKey(ApiKeyFault::Missing), ApiVersion::Legacy).await, @r#"
    401 Unauthorized
    content-type: application/json
    {"message":"No API key found in request","hint":"This project takes the API key as a header only."}
    "#);
    insta::assert_snapshot!(rendered(Failure::UnknownProject, ApiVersion::Legacy).await, @r#"
    404 Not Found
    content-type: application/json
    x-sb-error-code: project_not_found
    {"code":404,"error_code":"project_not_found","msg":"Project not found"}
    "#);
    insta::assert_snapshot!(rendered(Failure::BodyStalled, ApiVersion::Legacy).await, @r#"
    408 Request Timeout
    content-type: application/json
    x-sb-error-code: request_timeout
    {"code":408,"error_code":"request_timeout","msg":"The request body did not arrive in time"}
    "#);
}

#[tokio::test]
async fn headers_of_layers_survive() {
    let mut response = Failure::NoRoute.into_response();
    response.headers_mut().insert("vary", HeaderValue::from_static("Origin"));
    let response = render(response, ApiVersion::Legacy, "id", &Method::GET);
    assert_eq!(response.headers()["vary"], "Origin");
    assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn other_answers_pass_unchanged() {
    let response = render((StatusCode::OK, "fine").into_response(), ApiVersion::Legacy, "id", &Method::GET);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "fine");
}
