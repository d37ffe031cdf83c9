//! The edge through its real router, in front of a runtime that answers what a test tells it to.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod admin_tools;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod confirm_page;
#[cfg(test)]
mod custom_providers;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
#[path = "../../src/wire/examples.rs"]
mod examples;
#[cfg(test)]
mod factors;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod management;
#[cfg(test)]
mod management_access;
#[cfg(test)]
mod management_changes;
#[cfg(test)]
mod management_ids;
#[cfg(test)]
mod management_sign_ins;
#[cfg(test)]
mod management_tools;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod recovery_codes;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod verify;
