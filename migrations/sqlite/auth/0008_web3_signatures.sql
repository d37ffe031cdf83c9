-- Signatures of wallets that were used, so that none is good twice. Kept until what was signed is over.
create table auth.web3_signatures (
    instance_id blob not null,
    digest blob not null,
    expires_at text not null,
    constraint web3_signatures_pkey primary key (instance_id, digest),
    constraint web3_signatures_digest_length check (length(digest) = 32)
) strict;
create index auth.web3_signatures_expires_at_idx on web3_signatures (instance_id, expires_at);
