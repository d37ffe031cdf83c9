//! Which path and method of a project's auth API leads to which handler, and whose token opens it. Paths are relative to
//! `/auth/v1`. One that the contract mounts as a group is served with a trailing slash too (`contract/core.md` §1.1).

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodRouter, any};

use crate::auth::gate::Gate;
use crate::auth::{
    admin_factors, admin_users, audit_log, authorize, callback, challenge_factor, custom_providers, enroll_factor,
    generate_link, health, introspect, invite, jwks, link_identity, logout, magic_link, openapi, openid, otp,
    passkey_authentication, passkey_registration, passkeys, reauthenticate, recover, recovery_codes, resend,
    revocations, sessions, settings, signup, token, unenroll_factor, unlink_identity, user_delete, user_read,
    user_update, verify, verify_factor,
};
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::confirm_page;
use crate::state::ApiState;

/// Every path of a project with the methods that are served there, from the project's base URL on: for tests that must forget
/// none. Parts in braces are the caller's.
pub fn served() -> Vec<(String, Vec<&'static str>)> {
    let below = |base: &'static str| move |(path, methods): (&str, _)| (format!("{base}{path}"), methods);
    let auth = table().listed.into_iter().map(below("/auth/v1"));
    let discovery = ["/auth/v1/.well-known", "/.well-known"];
    auth.chain(discovery.into_iter().flat_map(|base| documents().listed.into_iter().map(below(base)))).collect()
}

/// What projects serve: at each path in full, below `prefix`. Routers inside routers, and layers on each of their routes, would cost a
/// request more than all the rest of its way to the handler.
pub(crate) fn project(prefix: &str) -> Vec<(String, MethodRouter<ApiState>)> {
    let auth = format!("{prefix}/auth/v1");
    let mut all: Vec<_> = table().below(&auth).collect();
    all.extend(documents().below(&format!("{auth}/.well-known")));
    all.extend(documents().below(&format!("{prefix}/.well-known")));
    let nothing = ["/auth/v1", "/auth/v1/", "/auth/v1/{*rest}", "/auth/v1/.well-known/{*rest}", "/.well-known/{*rest}"];
    all.extend(nothing.into_iter().map(|path| (format!("{prefix}{path}"), any(no_route))));
    all
}

fn documents() -> Table {
    Table::default()
        .at(["/jwks.json"], Served::to(Gate::Open).get(jwks::handle))
        .at(["/openid-configuration"], Served::to(Gate::Open).get(openid::configuration))
        .at(["/oauth-authorization-server"], Served::to(Gate::Open).get(openid::oauth_metadata))
}

/// What is at no path.
pub(crate) async fn no_route() -> Failure {
    Failure::NoRoute
}

fn table() -> Table {
    [account(), factors(), passkeys(), admin()].into_iter().fold(Table::default(), Table::merge)
}

fn account() -> Table {
    let open = || Served::to(Gate::Open);
    let user = || Served::to(Gate::User);
    let callback = open().get(callback::handle).post(callback::handle_form).otherwise(callback::refuse_method);
    Table::default()
        .at(["/health"], open().get(health::handle))
        .at(["/settings"], open().get(settings::handle))
        .at(["/openapi.json"], open().get(openapi::handle))
        .at(["/signup", "/signup/"], open().post(signup::handle))
        .at(["/token"], open().post(token::handle))
        .at(["/authorize"], open().get(authorize::handle))
        .at(["/callback", "/callback/"], callback)
        .at(["/otp"], open().post(otp::handle))
        .at(["/magiclink"], open().post(magic_link::handle))
        .at(["/recover"], open().post(recover::handle))
        .at(["/resend"], open().post(resend::handle))
        .at(["/verify", "/verify/"], open().get(verify::link).post(verify::handle))
        .at(["/verify/confirm"], open().post(verify::confirm))
        .at(["/verify/confirm.css"], open().get(confirm_page::style))
        .at(["/reauthenticate", "/reauthenticate/"], user().get(reauthenticate::handle))
        .at(["/user", "/user/"], user().get(user_read::handle).put(user_update::handle).delete(user_delete::handle))
        .at(["/user/identities/authorize"], user().get(link_identity::handle))
        .at(["/user/identities/{id}"], user().delete(unlink_identity::handle))
        .behind(Gate::User, ["/user/{*rest}"])
        .at(["/logout"], user().post(logout::handle))
        .at(["/sessions"], user().get(sessions::list))
        .at(["/sessions/{id}"], user().delete(sessions::end))
}

/// A path with a name stands before one with an id, so nobody's factor is called `recovery-codes`.
fn factors() -> Table {
    let user = || Served::to(Gate::User);
    let codes = user().get(recovery_codes::get).post(recovery_codes::generate).delete(recovery_codes::delete);
    Table::default()
        .at(["/factors", "/factors/"], user().post(enroll_factor::handle))
        .at(["/factors/{id}", "/factors/{id}/"], user().delete(unenroll_factor::handle))
        .at(["/factors/{id}/challenge"], user().post(challenge_factor::handle))
        .at(["/factors/{id}/verify"], user().post(verify_factor::handle))
        .at(["/factors/recovery-codes"], codes)
        .at(["/factors/recovery-codes/verify"], user().post(recovery_codes::verify))
        .at(["/factors/recovery-codes/regenerate"], user().post(recovery_codes::regenerate))
        .behind(Gate::User, ["/factors/{id}/{*rest}"])
}

fn passkeys() -> Table {
    let open = || Served::to(Gate::Passkeys);
    let user = || Served::to(Gate::PasskeyUser);
    Table::default()
        .at(["/passkeys", "/passkeys/"], user().get(passkeys::list))
        .at(["/passkeys/{id}"], user().patch(passkeys::rename).delete(passkeys::delete))
        .at(["/passkeys/registration/options"], user().post(passkey_registration::options))
        .at(["/passkeys/registration/verify"], user().post(passkey_registration::verify))
        .at(["/passkeys/authentication/options"], open().post(passkey_authentication::options))
        .at(["/passkeys/authentication/verify"], open().post(passkey_authentication::verify))
        .behind(Gate::Passkeys, ["/passkeys/{id}/{*rest}"])
}

fn admin() -> Table {
    let admin = || Served::to(Gate::Admin);
    let user = admin().get(admin_users::get).put(admin_users::update).delete(admin_users::delete);
    let factor = admin().put(admin_factors::update).delete(admin_factors::delete);
    let provider = admin().get(custom_providers::get).put(custom_providers::update).delete(custom_providers::delete);
    let providers = admin().get(custom_providers::list).post(custom_providers::create);
    let sessions = admin().get(sessions::admin_list).delete(sessions::admin_end_all);
    Table::default()
        .at(["/invite"], admin().post(invite::handle))
        .at(["/admin/users", "/admin/users/"], admin().get(admin_users::list).post(admin_users::create))
        .at(["/admin/users/{id}", "/admin/users/{id}/"], user)
        .at(["/admin/users/{id}/factors", "/admin/users/{id}/factors/"], admin().get(admin_factors::list))
        .at(["/admin/users/{id}/factors/{factor}", "/admin/users/{id}/factors/{factor}/"], factor)
        .at(["/admin/users/{id}/passkeys"], admin().get(passkeys::admin_list))
        .at(["/admin/users/{id}/passkeys/{passkey}"], admin().delete(passkeys::admin_delete))
        .at(["/admin/users/{id}/sessions"], sessions)
        .at(["/admin/users/{id}/sessions/{session}"], admin().delete(sessions::admin_end_one))
        .at(["/admin/custom-providers", "/admin/custom-providers/"], providers)
        .at(["/admin/custom-providers/{identifier}"], provider)
        .at(["/admin/generate_link"], admin().post(generate_link::handle))
        .at(["/admin/audit", "/admin/audit/"], admin().get(audit_log::list))
        .at(["/admin/introspect"], admin().post(introspect::handle))
        .at(["/admin/revocations"], admin().get(revocations::handle))
        .behind(Gate::Admin, ["/admin", "/admin/", "/admin/{*rest}"])
}

/// Paths, what is served at them, and the list of both.
#[derive(Default)]
struct Table {
    routes: Vec<(&'static str, MethodRouter<ApiState>)>,
    listed: Vec<(&'static str, Vec<&'static str>)>,
}

impl Table {
    /// Serves the same at each of `paths`.
    fn at<const N: usize>(mut self, paths: [&'static str; N], served: Served) -> Self {
        let methods = served.methods.clone();
        let served = served.or_refused();
        for path in paths {
            self.routes.push((path, served.clone()));
            self.listed.push((path, methods.clone()));
        }
        self
    }

    /// Paths that do not exist, as `gate` lets one know.
    fn behind<const N: usize>(mut self, gate: Gate, paths: [&'static str; N]) -> Self {
        let nothing = any(move |edge: Edge| async move { gate.before(&edge, Failure::NoRoute).await });
        for path in paths {
            self.routes.push((path, nothing.clone()));
        }
        self
    }

    fn merge(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self.listed.extend(other.listed);
        self
    }

    /// These paths below `base`.
    fn below(self, base: &str) -> impl Iterator<Item = (String, MethodRouter<ApiState>)> {
        self.routes.into_iter().map(move |(path, methods)| (format!("{base}{path}"), methods))
    }
}

/// What is served at a path: the methods it is given and nothing else, not even HEAD where GET is served, so that scanners
/// of links use nothing up.
struct Served {
    gate: Gate,
    methods: Vec<&'static str>,
    router: MethodRouter<ApiState>,
    otherwise: Option<MethodRouter<ApiState>>,
}

impl Served {
    fn to(gate: Gate) -> Self {
        Self { gate, methods: Vec::new(), router: MethodRouter::new(), otherwise: None }
    }

    fn get<H: Handler<T, ApiState>, T: 'static>(self, handler: H) -> Self {
        self.with("GET", |router| router.get(handler))
    }

    fn post<H: Handler<T, ApiState>, T: 'static>(self, handler: H) -> Self {
        self.with("POST", |router| router.post(handler))
    }

    fn put<H: Handler<T, ApiState>, T: 'static>(self, handler: H) -> Self {
        self.with("PUT", |router| router.put(handler))
    }

    fn patch<H: Handler<T, ApiState>, T: 'static>(self, handler: H) -> Self {
        self.with("PATCH", |router| router.patch(handler))
    }

    fn delete<H: Handler<T, ApiState>, T: 'static>(self, handler: H) -> Self {
        self.with("DELETE", |router| router.delete(handler))
    }

    /// Has `handler` refuse every other method.
    fn otherwise<H: Handler<T, ApiState>, T: 'static>(mut self, handler: H) -> Self {
        self.otherwise = Some(any(handler.clone()).head(handler));
        self
    }

    fn with(
        mut self,
        method: &'static str,
        add: impl FnOnce(MethodRouter<ApiState>) -> MethodRouter<ApiState>,
    ) -> Self {
        self.methods.push(method);
        self.router = add(self.router);
        self
    }

    /// What is served, and for every other method the refusal that names those that are.
    fn or_refused(self) -> MethodRouter<ApiState> {
        let Self { gate, mut methods, router, otherwise } = self;
        if let Some(otherwise) = otherwise {
            return otherwise.merge(router);
        }
        methods.sort_unstable();
        let allow: Arc<str> = methods.join(", ").into();
        let refuse = move |edge: Edge| async move { gate.before(&edge, Failure::MethodNotAllowed(allow)).await };
        any(refuse.clone()).head(refuse).merge(router)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the contract has of all that is served, without trailing slashes.
    const CONTRACT: &str = "
        GET /health, GET /settings, POST /signup, POST /token, POST /otp, POST /magiclink, POST /recover, POST /resend,
        GET /verify, POST /verify, GET /reauthenticate, GET /user, PUT /user, POST /logout,
        POST /factors, DELETE /factors/{id}, POST /factors/{id}/challenge, POST /factors/{id}/verify,
        GET /passkeys, PATCH /passkeys/{id}, DELETE /passkeys/{id},
        POST /passkeys/registration/options, POST /passkeys/registration/verify,
        POST /passkeys/authentication/options, POST /passkeys/authentication/verify,
        POST /invite, GET /admin/users, POST /admin/users,
        GET /admin/users/{id}, PUT /admin/users/{id}, DELETE /admin/users/{id},
        GET /admin/users/{id}/factors, PUT /admin/users/{id}/factors/{factor}, DELETE /admin/users/{id}/factors/{factor},
        GET /admin/users/{id}/passkeys, DELETE /admin/users/{id}/passkeys/{passkey},
        POST /admin/generate_link, GET /admin/audit,
        GET /authorize, GET /callback, POST /callback,
        GET /user/identities/authorize, DELETE /user/identities/{id},
        GET /admin/custom-providers, POST /admin/custom-providers, GET /admin/custom-providers/{identifier},
        PUT /admin/custom-providers/{identifier}, DELETE /admin/custom-providers/{identifier}";

    #[test]
    fn what_is_served_is_of_the_contract_or_documented() {
        let contract: BTreeSet<String> = CONTRACT.split(',').map(|route| route.trim().to_owned()).collect();
        let document: serde_json::Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
        let documented = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        });
        let documented: BTreeSet<String> = documented.collect();
        assert!(documented.is_disjoint(&contract), "what the contract has is documented elsewhere");
        let served: BTreeSet<String> = table()
            .listed
            .iter()
            .flat_map(|(path, methods)| {
                methods.iter().map(move |method| format!("{method} {}", path.trim_end_matches('/')))
            })
            .collect();
        let told: BTreeSet<String> = contract.union(&documented).cloned().collect();
        assert_eq!(served, told);
    }
}
