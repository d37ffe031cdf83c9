//! The addresses that browsers are sent to (`contract/mfa-passkeys-oauth.md` §3.2).

use domain::provider::{Builtin, Connection};
use outbound::ProviderTransport;
use url::Url;

use super::cases::{self, OWN};
use super::each::{Place, registered};
use super::idp::Idp;
use super::{connection, departure, project, providers};

async fn address(connection: &Connection, scopes: &str, parameters: &[(&str, &str)]) -> String {
    let provider = match connection.kind {
        domain::provider::Kind::Builtin(provider) => provider,
        domain::provider::Kind::Custom(_) => Builtin::Google,
    };
    let idp = Idp::start(registered(&cases::of(provider), Place::Home, connection.strict)).await;
    let mut departure = departure();
    departure.scopes = scopes.to_owned();
    departure.parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    providers(&idp).depart(project(), connection, &departure).await.unwrap()
}

/// The parameters besides those of every address.
async fn further(connection: &Connection, scopes: &str, parameters: &[(&str, &str)]) -> String {
    const EVERYWHERE: [&str; 4] = ["client_id", "redirect_uri", "response_type", "state"];
    let url = Url::parse(&address(connection, scopes, parameters).await).unwrap();
    let pairs: Vec<String> = url
        .query_pairs()
        .filter(|(name, _)| !EVERYWHERE.contains(&name.as_ref()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

#[tokio::test]
async fn parameters_are_in_alphabetical_order_and_a_space_is_a_plus() {
    assert_eq!(
        address(&connection(Builtin::Gitlab, None), "api", &[("prompt", "a b")]).await,
        "https://gitlab.com/oauth/authorize?client_id=client-1&prompt=a+b\
         &redirect_uri=https%3A%2F%2Fauth.tenant.test%2Fcallback&response_type=code&scope=read_user+api\
         &state=5d8a2b1e-6c0f-4a55-9a53-0d6f0a1c2b3d"
    );
    assert_eq!(
        address(&connection(Builtin::Workos, None), "x", &[("workos_provider", "authkit"), ("provider", "y")]).await,
        "https://api.workos.com/sso/authorize?client_id=client-1&provider=authkit\
         &redirect_uri=https%3A%2F%2Fauth.tenant.test%2Fcallback&response_type=code\
         &state=5d8a2b1e-6c0f-4a55-9a53-0d6f0a1c2b3d"
    );
}

#[tokio::test]
async fn scopes_of_the_client_come_behind_those_of_the_provider() {
    for (provider, asked, scope) in [
        (Builtin::Gitlab, "api,read_repository", "scope=read_user api read_repository"),
        (Builtin::Github, "repo,gist", "scope=user:email repo gist"),
        (Builtin::Keycloak, "openid offline_access", "scope=profile email openid offline_access"),
        (Builtin::Azure, "email offline_access", "scope=openid email offline_access"),
        (Builtin::Discord, "", "scope=email identify"),
        (Builtin::Discord, ",,", "scope=email identify"),
        (Builtin::Bitbucket, "webhook", "scope=account email"),
        (Builtin::Notion, "x", ""),
        (Builtin::Workos, "x", ""),
        (Builtin::Zoom, "x", ""),
        (Builtin::VercelMarketplace, "openid", "scope=openid"),
    ] {
        let connection = connection(provider, (provider == Builtin::Keycloak).then_some(OWN));
        assert_eq!(further(&connection, asked, &[]).await, scope, "{provider:?} {asked}");
    }
    let apple = further(&connection(Builtin::Apple, None), "x", &[("prompt", "y")]).await;
    assert_eq!(apple, "nonce=nonce-1&response_mode=form_post&scope=email name");
}

/// What an attacker writes into a link changes neither who asks nor where the answer goes, nor what binds it.
#[tokio::test]
async fn parameters_that_are_ours_are_dropped_however_they_are_written() {
    let parameters = [
        ("CLIENT_ID", "x"),
        ("client_secret", "x"),
        ("Redirect_Uri", "https://evil.test"),
        ("response_type", "token"),
        ("State", "x"),
        ("code_challenge", "x"),
        ("code_challenge_method", "plain"),
        ("code_verifier", "x"),
        ("request", "x"),
        ("request_uri", "https://evil.test"),
        ("response_mode", "fragment"),
        ("redirect_to", "https://app.test"),
        ("invite_token", "x"),
        ("provider", "x"),
        ("scopes", "x"),
        ("apikey", "x"),
    ];
    let kept = [("access_type", "offline"), ("prompt", "consent"), ("hd", "example.test"), ("login_hint", "a@b")];
    let all = [&parameters[..], &kept[..]].concat();
    let gitlab = further(&connection(Builtin::Gitlab, None), "", &all).await;
    assert_eq!(gitlab, "access_type=offline&hd=example.test&login_hint=a@b&prompt=consent&scope=read_user");
    let url = Url::parse(&address(&connection(Builtin::Gitlab, None), "", &all).await).unwrap();
    let one = |name: &str| url.query_pairs().filter(|(key, _)| key.eq_ignore_ascii_case(name)).count();
    assert_eq!(["client_id", "redirect_uri", "response_type", "state"].map(one), [1; 4]);
}

#[tokio::test]
async fn a_nonce_of_the_client_travels_only_where_none_of_ours_does() {
    let client = [("nonce", "theirs"), ("Nonce", "theirs")];
    let github = further(&connection(Builtin::Github, None), "", &client[..1]).await;
    assert_eq!(github, "nonce=theirs&scope=user:email");
    let google = further(&connection(Builtin::Google, None), "", &client).await;
    assert_eq!(google, "nonce=nonce-1&scope=openid email profile");
}

#[tokio::test]
async fn a_single_scope_parameter_takes_the_place_of_all_scopes() {
    let scope = [("scope", "calendar")];
    assert_eq!(further(&connection(Builtin::Gitlab, None), "api", &scope).await, "scope=calendar");
    assert_eq!(further(&connection(Builtin::Gitlab, None), "api", &[("scope", "")]).await, "");
    // Where an ID token must repeat our nonce, one is asked for in any case.
    assert_eq!(further(&connection(Builtin::Google, None), "", &scope).await, "nonce=nonce-1&scope=openid calendar");
    let mut keycloak = connection(Builtin::Keycloak, Some(OWN));
    assert_eq!(further(&keycloak, "", &scope).await, "scope=calendar");
    keycloak.strict = true;
    let strict = further(&keycloak, "", &scope).await;
    assert!(strict.ends_with("&nonce=nonce-1&scope=openid calendar"), "{strict}");
    assert!(strict.starts_with("code_challenge="), "{strict}");
}

#[tokio::test]
async fn an_address_of_the_projects_own_may_end_with_a_slash() {
    let url = address(&connection(Builtin::Gitlab, Some("https://git.test/sub/")), "", &[]).await;
    assert!(url.starts_with("https://git.test/sub/oauth/authorize?client_id="), "{url}");
    let url = address(&connection(Builtin::Google, Some("https://evil.test")), "", &[]).await;
    assert!(url.starts_with("https://accounts.google.com/o/oauth2/v2/auth?"), "{url}");
}
