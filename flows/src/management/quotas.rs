//! What a project is granted of what all projects share (the gateway's operator decides, never the project).

use std::collections::BTreeMap;

use domain::ids::ProjectRef;
use domain::quota::{Quota, Quotas};
use serde_json::{Map, Value, json};

use super::{Error, Management, Result};

/// The quotas of a project.
#[derive(Clone, Debug)]
pub struct QuotasView {
    /// Its own.
    pub quotas: Quotas,
    /// What the gateway grants every project that has no quota of its own; `None` = no limit.
    pub granted: Quotas,
    /// How much is used now, as far as it is known: what is counted per gateway, of this one.
    pub used: BTreeMap<Quota, u64>,
}

impl Management {
    /// What a project is granted, and how much of it is used.
    pub async fn quotas(&self, project: &ProjectRef) -> Result<QuotasView> {
        let bundle = self.bundle(project).await?;
        let usage = self.usage_of(&bundle).await?;
        let mut used = BTreeMap::from([(Quota::Users, usage.users), (Quota::MailsPerHour, usage.mails_last_hour)]);
        used.extend(usage.in_flight.map(|now| (Quota::InFlight, now)));
        Ok(QuotasView { quotas: bundle.project.quotas, granted: self.granted, used })
    }

    /// Changes the named quotas; `null` returns one to what the gateway grants. In force at once.
    pub async fn set_quotas(&self, project: &ProjectRef, patch: &Map<String, Value>) -> Result<QuotasView> {
        let found = self.project(project).await?.project;
        let quotas = patched(found.quotas, patch)?;
        if quotas != found.quotas {
            let changed = |quotas: &Quotas| -> Option<Value> {
                let all = json!(quotas);
                let named = patch.keys().map(|name| (name.clone(), all.get(name).cloned().unwrap_or_default()));
                Some(named.collect::<Map<_, _>>().into())
            };
            let control = self.noting("quotas.changed", Some(&found), changed(&found.quotas), changed(&quotas));
            if !control.projects().set_quotas(found.id, &quotas, self.now()).await? {
                return Err(Error::NotFound);
            }
            self.announce(found.id).await;
        }
        self.quotas(project).await
    }
}

fn patched(quotas: Quotas, patch: &Map<String, Value>) -> Result<Quotas> {
    let Value::Object(mut members) = json!(quotas) else { return Ok(quotas) };
    members.extend(patch.clone());
    let next = serde_json::from_value(Value::Object(members)).map_err(|_| {
        let names: Vec<&str> = Quota::ALL.iter().map(|quota| quota.as_str()).collect();
        Error::Invalid(format!("quotas are {}: each a whole number from 1 to {}, or null", names.join(", "), u32::MAX))
    })?;
    check(&next)?;
    Ok(next)
}

/// Refuses quotas that nobody could work with.
pub(super) fn check(quotas: &Quotas) -> Result<()> {
    match quotas.useless() {
        Some(quota) => Err(Error::Invalid(format!("quota {quota} must be at least 1"))),
        None => Ok(()),
    }
}
