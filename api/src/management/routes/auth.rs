//! Of the auth of one project: configuration, keys, issuers, sessions and mail.

use domain::operator::Access::{Change, Read};

use crate::management::document::{doc, own};
use crate::management::table::{Table, delete, get, post};
use crate::management::{
    api_keys, config, dead_letters, providers, redirects, sessions, signing_keys, sso, third_party, v2,
};

pub(super) fn configuration(table: Table) -> Table {
    table
        .at(
            "/v1/projects/{ref}/config/auth",
            get(
                Read,
                config::get,
                doc("Every field with the value in force; secrets as fingerprints").gives::<config::AuthConfig>(),
            )
            .patch(
                Change,
                config::patch,
                doc("Changes the named fields; null returns a field to its default")
                    .conflicts()
                    .header("x-tenantry-note", "Why; kept with the new version.")
                    .takes::<config::AuthConfig>()
                    .gives::<config::AuthConfig>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/history",
            get(
                Read,
                config::history,
                own("Its versions, the newest first")
                    .number("before", "Only versions before this one.")
                    .number("limit", "How many, 1 to 200; 100 where it is not given.")
                    .lists::<config::Version>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/history/{version}",
            get(
                Read,
                config::version,
                own("The fields of a version as they were; secrets as fingerprints").gives::<config::Stored>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/diff",
            get(
                Read,
                config::diff,
                own("What changed from one version to another")
                    .number("from", "The older version; it must be given.")
                    .number("to", "The newer version; the one in force where it is not given.")
                    .gives::<config::Diff>(),
            )
            .post(
                Read,
                config::dry_run,
                own("What a PATCH with this body would change").takes::<config::AuthConfig>().gives::<config::Diff>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/rollback",
            post(
                Change,
                config::rollback,
                own("Makes an older version the newest again; the security profile never becomes a looser one")
                    .conflicts()
                    .takes::<config::Rollback>()
                    .gives::<config::Diff>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/providers",
            get(Read, providers::list, own("Where its people can sign in").lists::<providers::Provider>()),
        )
        .at(
            "/v1/projects/{ref}/config/auth/providers/{provider}/test",
            post(
                Change,
                providers::test,
                own("Asks a provider all that can be asked without a person").gives::<providers::Tested>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/redirects",
            get(
                Read,
                redirects::list,
                own("What is to be thought of each address to which browsers may be sent").lists::<redirects::Entry>(),
            ),
        )
        .at(
            "/v2/projects/{ref}/config",
            get(Read, v2::config, doc("The whole configuration in one object").gives::<v2::ProjectConfig>()),
        )
}

pub(super) fn keys(table: Table) -> Table {
    let reveal = |summary| doc(summary).switch("reveal", "Secret keys in clear.");
    table
        .at(
            "/v1/projects/{ref}/api-keys",
            get(Read, api_keys::list, reveal("API keys: old-style ones first, secret ones masked").lists::<api_keys::Key>()).post(
                Change,
                api_keys::create,
                reveal("Makes an API key").conflicts().takes::<api_keys::NewKey>().gives::<api_keys::Key>().with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}/api-keys/legacy",
            get(Read, api_keys::legacy, doc("Whether old-style keys are accepted").gives::<api_keys::Legacy>()).put(
                Change,
                api_keys::set_legacy,
                doc("Accepts old-style keys, or refuses them").conflicts().switch("enabled", "Which; it must be given.").gives::<api_keys::Legacy>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/api-keys/{id}",
            get(Read, api_keys::get, reveal("One API key").gives::<api_keys::Key>())
                .patch(Change, api_keys::update, reveal("Changes name, description or role of an API key").conflicts().takes::<api_keys::ChangedKey>().gives::<api_keys::Key>())
                .delete(
                    Change,
                    api_keys::delete,
                    reveal("Revokes an API key at once")
                        .conflicts()
                        .switch("was_compromised", "Noted in the audit log.")
                        .query("reason", "Noted in the audit log.")
                        .gives::<api_keys::Key>(),
                ),
        )
        .at(
            "/v1/projects/{ref}/api-keys/{id}/rotate",
            post(
                Change,
                api_keys::rotate,
                own("Puts a new API key in the place of one, which is accepted a while longer").conflicts().may_take::<api_keys::Rotation>().gives::<api_keys::Rotated>().with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/signing-keys",
            get(Read, signing_keys::list, doc("Keys that tokens are signed with").gives::<signing_keys::Keys>()).post(
                Change,
                signing_keys::create,
                doc("Makes or imports a signing key").conflicts().takes::<signing_keys::NewKey>().gives::<signing_keys::Key>().with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/signing-keys/legacy",
            get(Read, signing_keys::legacy, doc("The JWT secret as a signing key").gives::<signing_keys::Key>()).post(
                Change,
                signing_keys::import_legacy,
                doc("Makes the JWT secret a signing key, in use").conflicts().gives::<signing_keys::Key>().with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/signing-keys/rotate",
            post(
                Change,
                signing_keys::rotate,
                own("Signs with a new key once every gateway knows it; tokens of the old one stay good until they expire")
                    .conflicts()
                    .may_take::<signing_keys::Rotation>()
                    .gives::<signing_keys::Key>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/signing-keys/{id}",
            get(Read, signing_keys::get, doc("One signing key").gives::<signing_keys::Key>())
                .patch(Change, signing_keys::set_status, doc("Another status; one in use retires the one that was").conflicts().takes::<signing_keys::Move>().gives::<signing_keys::Key>())
                .delete(Change, signing_keys::delete, doc("Removes a revoked key for good").conflicts().gives::<signing_keys::Key>()),
        )
}

pub(super) fn issuers(table: Table) -> Table {
    let never = || doc("SAML is not served: 404").never(404);
    table
        .at(
            "/v1/projects/{ref}/config/auth/third-party-auth",
            get(Read, third_party::list, doc("Issuers whose tokens are accepted").lists::<third_party::Issuer>()).post(
                Change,
                third_party::create,
                doc("Accepts the tokens of one more issuer: exactly one of the three sources is given")
                    .conflicts()
                    .takes::<third_party::NewIssuer>()
                    .gives::<third_party::Issuer>()
                    .with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/third-party-auth/{id}",
            get(Read, third_party::get, doc("One issuer").gives::<third_party::Issuer>()).delete(
                Change,
                third_party::delete,
                doc("Refuses an issuer's tokens from now on").conflicts().gives::<third_party::Issuer>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/auth/sso/providers",
            get(Read, sso::off, never()).post(Change, sso::off, never().takes_any()),
        )
        .at(
            "/v1/projects/{ref}/config/auth/sso/providers/{id}",
            get(Read, sso::off, never()).put(Change, sso::off, never().takes_any()).delete(Change, sso::off, never()),
        )
}

pub(super) fn people(table: Table) -> Table {
    table
        .at(
            "/v1/projects/{ref}/sessions",
            get(
                Read,
                sessions::list,
                own("Sessions, page by page")
                    .number("limit", "How many, 1 to 1000; 100 where it is not given.")
                    .query("after", "Where the page before ended.")
                    .gives::<sessions::Sessions>(),
            )
            .delete(
                Change,
                sessions::end_all,
                own("Ends every session, or every one of a user")
                    .query("user_id", "Only those of this user.")
                    .gives::<sessions::Ended>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/sessions/{id}",
            delete(Change, sessions::end, own("Ends one session").gives::<sessions::Ended>()),
        )
        .at(
            "/v1/projects/{ref}/mail/dead-letters",
            get(
                Read,
                dead_letters::list,
                own("Mail that was given up, the newest first")
                    .number("limit", "How many, 1 to 1000; 100 where it is not given.")
                    .number("offset", "How many to pass over.")
                    .gives::<dead_letters::Outbox>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/mail/dead-letters/{id}",
            delete(Change, dead_letters::discard, own("Throws a mail away").gives::<dead_letters::Changed>()),
        )
        .at(
            "/v1/projects/{ref}/mail/dead-letters/{id}/retry",
            post(
                Change,
                dead_letters::retry,
                own("Delivers a mail as if it were new").gives::<dead_letters::Changed>(),
            ),
        )
}
