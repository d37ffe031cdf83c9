//! Rows of `auth.web3_signatures`: what wallets have signed in with, so that no signature is good twice.

use domain::time::Timestamp;

use crate::database::Tx;
use crate::error::Result;
use crate::sql::same;
use crate::values::At;

statements! {
    project SPEND = same(
        "insert into auth.web3_signatures (instance_id, digest, expires_at) values ($1, $2, $3) on conflict do nothing"
    );
}

impl Tx {
    /// Marks a signature as used until what was signed is over. True for exactly one caller whose transaction commits: another waits
    /// for its end.
    pub async fn spend_signature(&mut self, digest: &[u8; 32], until: Timestamp) -> Result<bool> {
        Ok(execute!(&mut self.work, SPEND, self.instance.0, &digest[..], At(until))? == 1)
    }
}
