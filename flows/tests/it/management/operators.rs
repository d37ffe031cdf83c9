//! Operator tokens, and what is noted of what their bearers do.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::operator::{Reach, Role};
use domain::secret::Secret;
use flows::management::{Error, NewToken, ReadLog};
use serde_json::json;
use testkit::TestApp;

use super::{acting, log_of, members};
use crate::both::on_both;

fn named(name: &str, role: Role) -> NewToken {
    NewToken { name: name.to_owned(), role, projects: None, expires_in: None }
}

on_both!(a_token_opens_what_it_was_made_for, a_token_opens_what_it_was_made_for_on_postgres, tokens);
async fn tokens(app: TestApp) {
    let manage = &app.management;
    let one = app.project("one", json!({})).await;
    let only_one = NewToken { projects: Some(vec![one.project_ref.clone()]), ..named("ci", Role::Operator) };
    let made = manage.create_token(only_one).await.unwrap();
    let secret = made.secret.unwrap();
    assert!(secret.expose().starts_with("sbp_") && secret.expose().len() == 44, "the form of the contract");
    assert!(secret.expose().starts_with(&made.token.prefix) && made.token.prefix.len() == 12);

    let id = manage.project_id(&one.project_ref).await.unwrap();
    let operator = manage.operator_of(&secret).await.unwrap().unwrap();
    assert_eq!((operator.token, operator.role), (Some(made.token.id), Role::Operator));
    assert_eq!(operator.reach, Reach::Projects(BTreeSet::from([id])));
    let listed = manage.tokens().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].secret.is_none() && listed[0].projects == Some(vec![one.project_ref.clone()]));
    assert!(listed[0].token.last_used_at.is_some());
    assert!(!app.stored_text().await.contains(secret.expose()), "only the hash is kept");

    let strange = Secret::new(format!("sbp_{}", "0".repeat(40)));
    assert!(manage.operator_of(&strange).await.unwrap().is_none());
    manage.revoke_token(made.token.id).await.unwrap();
    assert!(manage.operator_of(&secret).await.unwrap().is_none(), "at once at this gateway");
    assert!(manage.revoke_token(made.token.id).await.unwrap().token.revoked_at.is_some(), "again changes nothing");
}

on_both!(a_token_ends_by_itself, a_token_ends_by_itself_on_postgres, expiry);
async fn expiry(app: TestApp) {
    let request = NewToken { expires_in: Some(60), ..named("short", Role::ReadOnly) };
    let secret = app.management.create_token(request).await.unwrap().secret.unwrap();
    assert!(app.management.operator_of(&secret).await.unwrap().is_some());
    app.clock.advance(59);
    assert!(app.management.operator_of(&secret).await.unwrap().is_some());
    app.clock.advance(1);
    assert!(app.management.operator_of(&secret).await.unwrap().is_none());
}

on_both!(other_gateways_hear_of_a_revocation, other_gateways_hear_of_a_revocation_on_postgres, elsewhere);
async fn elsewhere(app: TestApp) {
    let other = app.sibling().await;
    let made = app.management.create_token(named("gone", Role::Operator)).await.unwrap();
    let secret = made.secret.unwrap();
    assert!(other.management.operator_of(&secret).await.unwrap().is_some());
    app.management.revoke_token(made.token.id).await.unwrap();
    // The clock stands: it is not for having been remembered long enough.
    let heard = async {
        while other.management.operator_of(&secret).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), heard).await.expect("the other gateway hears of it");
}

on_both!(bad_tokens_are_not_made, bad_tokens_are_not_made_on_postgres, refused);
async fn refused(app: TestApp) {
    let manage = &app.management;
    let unknown = NewToken { projects: Some(vec!["nobody".parse().unwrap()]), ..named("ci", Role::Operator) };
    let none = NewToken { projects: Some(Vec::new()), ..named("ci", Role::Operator) };
    let over = NewToken { expires_in: Some(0), ..named("ci", Role::Operator) };
    app.project("acme", json!({})).await;
    let bound = NewToken { projects: Some(vec!["acme".parse().unwrap()]), ..named("ci", Role::Owner) };
    for request in [unknown, none, over, bound, named(" ", Role::Owner)] {
        assert!(matches!(manage.create_token(request).await, Err(Error::Invalid(_))));
    }
    let own = manage.create_token(named("me", Role::Owner)).await.unwrap();
    let operator = manage.operator_of(&own.secret.unwrap()).await.unwrap().unwrap();
    let refused = manage.acting(operator, None).revoke_token(own.token.id).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "nobody locks himself out");
}

on_both!(the_first_token_stays_what_it_is, the_first_token_stays_what_it_is_on_postgres, first);
async fn first(app: TestApp) {
    let token = Secret::new(format!("sbp_{}", "a".repeat(40)));
    assert!(app.management.set_operator_token(&token).await.unwrap());
    assert!(app.management.set_operator_token(&token).await.unwrap(), "the next start finds it");
    let operator = app.management.operator_of(&token).await.unwrap().unwrap();
    assert_eq!((operator.role, &operator.reach), (Role::Owner, &Reach::Everything));
    assert_eq!(app.management.tokens().await.unwrap().len(), 1);
    let last = app.management.revoke_token(operator.token.unwrap()).await;
    assert!(matches!(last, Err(Error::Invalid(_))), "somebody must be left who can make tokens");
    let passing = NewToken { expires_in: Some(60), ..named("passing", Role::Owner) };
    app.management.create_token(passing).await.unwrap();
    let last = app.management.revoke_token(operator.token.unwrap()).await;
    assert!(matches!(last, Err(Error::Invalid(_))), "and stay");
    app.management.create_token(named("another", Role::Owner)).await.unwrap();
    app.management.revoke_token(operator.token.unwrap()).await.unwrap();
    assert!(!app.management.set_operator_token(&token).await.unwrap(), "a start does not bring it back");
    assert!(app.management.operator_of(&token).await.unwrap().is_none());
}

on_both!(
    owners_who_revoke_each_other_lock_nobody_out,
    owners_who_revoke_each_other_lock_nobody_out_on_postgres,
    each_other
);
async fn each_other(app: TestApp) {
    let manage = &app.management;
    let mut hands = Vec::new();
    for name in ["one", "two"] {
        let made = manage.create_token(named(name, Role::Owner)).await.unwrap();
        let operator = manage.operator_of(&made.secret.unwrap()).await.unwrap().unwrap();
        hands.push((made.token.id, manage.acting(operator, None)));
    }
    let (one, two) = (&hands[0], &hands[1]);
    let (first, second) = tokio::join!(one.1.revoke_token(two.0), two.1.revoke_token(one.0));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert!(matches!(first.and(second), Err(Error::Invalid(why)) if why.contains("last owner")));
    assert!(manage.has_owner().await.unwrap());
    let read = ReadLog::default();
    let log = manage.operator_log(read).await.unwrap().entries;
    assert_eq!(log.iter().filter(|entry| entry.action == "token.revoked").count(), 1, "{log:?}");
}

on_both!(changes_are_noted_with_who_made_them, changes_are_noted_with_who_made_them_on_postgres, noted);
async fn noted(app: TestApp) {
    let project = app.project("one", json!({})).await;
    let manage = acting(&app, "alice", Reach::Everything);
    let change = members(json!({ "jwt_exp": 60, "smtp_pass": "hunter2" }));
    manage.patch_config(&project.project_ref, &change).await.unwrap();
    manage.rename_project(&project.project_ref, "One").await.unwrap();

    let log = log_of(&manage, &project.project_ref).await;
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["project.renamed", "config.changed", "project.created"]);
    let changed = &log[1];
    assert_eq!((changed.token_name.as_str(), changed.address.as_deref()), ("alice", Some("192.0.2.7")));
    assert_eq!(changed.before, Some(json!({ "jwt_exp": null, "smtp_pass": null })));
    assert_eq!(changed.after, Some(json!({ "jwt_exp": 60, "smtp_pass": "***" })));
    assert_eq!(log[0].before, Some(json!({ "name": "one" })));
    assert_eq!((log[2].token, log[2].token_name.as_str()), (None, "gateway"));
    assert!(!app.stored_text().await.contains("hunter2"));
}

on_both!(what_fails_is_not_noted, what_fails_is_not_noted_on_postgres, failed);
async fn failed(app: TestApp) {
    let project = app.project("one", json!({})).await;
    let manage = acting(&app, "alice", Reach::Everything);
    let wrong = members(json!({ "jwt_exp": -1 }));
    manage.patch_config(&project.project_ref, &wrong).await.unwrap_err();
    manage.rename_project(&project.project_ref, "").await.unwrap_err();
    let same = members(json!({ "jwt_exp": null }));
    manage.patch_config(&project.project_ref, &same).await.unwrap();
    assert_eq!(log_of(&manage, &project.project_ref).await.len(), 1, "the creation alone");
}

on_both!(an_operator_of_some_projects_sees_their_log, an_operator_of_some_projects_sees_their_log_on_postgres, reach);
async fn reach(app: TestApp) {
    let one = app.project("one", json!({})).await;
    let two = app.project("two", json!({})).await;
    let id = app.management.project_id(&one.project_ref).await.unwrap();
    let manage = acting(&app, "bob", Reach::Projects(BTreeSet::from([id])));
    let page = manage.operator_log(ReadLog::default()).await.unwrap();
    assert!(page.entries.iter().all(|entry| entry.project.as_deref() == Some("one")) && page.entries.len() == 1);
    let other = ReadLog { project: Some(two.project_ref.clone()), ..ReadLog::default() };
    assert!(matches!(manage.operator_log(other).await, Err(Error::NotFound)));

    // Page by page nothing is missed.
    let first = app.management.operator_log(ReadLog { limit: Some(1), ..ReadLog::default() }).await.unwrap();
    let before = first.next;
    let second = app.management.operator_log(ReadLog { limit: Some(1), before, ..ReadLog::default() }).await.unwrap();
    assert_eq!(first.entries[0].project.as_deref(), Some("two"));
    assert_eq!(second.entries[0].project.as_deref(), Some("one"));
}

on_both!(the_log_of_a_project_outlives_it, the_log_of_a_project_outlives_it_on_postgres, outlived);
async fn outlived(app: TestApp) {
    let gone = app.project("gone", json!({})).await;
    let other = app.project("other", json!({})).await;
    let id = app.management.project_id(&gone.project_ref).await.unwrap();
    let others = app.management.project_id(&other.project_ref).await.unwrap();
    app.management.delete_project(&gone.project_ref, Some(0)).await.unwrap();
    let actions = async |manage: &flows::management::Management| -> Vec<String> {
        log_of(manage, &gone.project_ref).await.into_iter().map(|entry| entry.action).collect()
    };
    let whole = ["project.purged", "project.deleted", "project.created"];
    assert_eq!(actions(&app.management).await, whole);
    assert_eq!(actions(&acting(&app, "its", Reach::Projects(BTreeSet::from([id])))).await, whole);
    let named = |name: &str| ReadLog { project: Some(name.parse().unwrap()), ..ReadLog::default() };
    let stranger = acting(&app, "other's", Reach::Projects(BTreeSet::from([others])));
    assert!(matches!(stranger.operator_log(named("gone")).await, Err(Error::NotFound)), "it is none of his");
    assert!(matches!(app.management.operator_log(named("never")).await, Err(Error::NotFound)));
    let first = app.management.operator_log(named("gone")).await.unwrap().entries.pop().unwrap();
    let after = ReadLog { before: Some(first.seq), ..named("gone") };
    assert_eq!(app.management.operator_log(after).await.unwrap().entries, [], "the page after the last");
    // Who has the ref afterwards has its log beside the one before, for those who may see both.
    app.project("gone", json!({})).await;
    assert_eq!(actions(&app.management).await, ["project.created", whole[0], whole[1], whole[2]]);
    assert_eq!(actions(&acting(&app, "its", Reach::Projects(BTreeSet::from([id])))).await, whole);
}
