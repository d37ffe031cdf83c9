//! Keys, and tokens that another implementation (Node's crypto) signed with them. The claims are
//! `{"sub":"someone","exp":2000000000}`.

use domain::secret::Secret;
use serde_json::{Value, json};

/// The shared secret of [`HS256_TOKEN`].
pub(crate) fn shared_secret() -> Secret<String> {
    Secret::new("a secret of the project, long enough".to_owned())
}

/// RFC 7515, appendix A.3, with a `kid`.
pub(crate) fn ec_jwk() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        "kid": "ec",
    })
}

/// RFC 8037, appendix A.1, with a `kid`.
pub(crate) fn ed_jwk() -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "kid": "ed",
    })
}

/// Made for these tests.
pub(crate) fn rsa_jwk() -> Value {
    json!({
        "kty": "RSA",
        "n": "\
            1biq5F9D9q_A81uBL6yrU32Aii1vAZDHIGOGmQomTAGsltmf82hINbhLGn8P-ZeLl6Ps1eC3tuX7NIobLpesOms_bH2LcqTXJUKZ\
            utl7Jt7l2nAK6dcBhXdabr0x6TU33_7zIIfUvr6KV4JpKsIzhPCghdA04ufwQvqhwjYbA8WKdcYfZyU7Y9yQtl3ywQShdyN4pJHF\
            S6KIfbcSqW7_xswom9Wks4moigI-1Nh5pTZsiXFyO2bc5sYdnvi4I_1U1TtHVw6ql5xg-vXYuGIizLN2WOPtEQvdy5n-QlnM3W0W\
            -dLxmpSd6JGjyq9a4BlWkR2RvF-ASnQUcNejsGL3eQ",
        "e": "AQAB",
        "d": "\
            G6wA6HfTP24LMBdBd1BGkJVX3sw6Krw5pB5uz4LqaX3wAEomNShj7RyzELex9FGkX9p4MEsbzmEhsPBOy64UvS2ktSHeO9ZPCwKA\
            EBrXoLVMkodeSl-t0T-eZGc3vqfG18hVZ3le2OGn3OPERSaG8CgNyLWoG1cHm0yDRDeoMMkW08szoN1ecir8nmJjKLdbD4nLey0N\
            xqWocA5RCQTOrcoKcqcSWWZJpRN2_3ft0lax9PkNfOkJd5h5AaXnx9UK2GLLkIQApZm_xAkkTfNrx-fe-tsqvzti0fTs0xjJt1Uc\
            BiGtiJkJEHzUT8CdyHZUX6B8V8q7zORvpekQGsfk_w",
        "p": "\
            98ITFIJ_FUKQdI9ENGvwlrBJ1sqZ6Vj3NBn_a6jqMrIDJ3_bcFpX-TYUW4sH9BCirvApGi2TAynpHrb7fTKr4lmf30q9-pWGuHAO\
            a1a885KIJ8HnbOwLrPDZ_KWPnBnoaHbWd6Y6A6ZOeJUFfLQic_ih4GeafzVsDIgsIwUdwxc",
        "q": "\
            3NS70vkDZG2csrcwJIrLQDHCPEm6ht1upFTKhTez61aAgDS3J1D0KzD1vqKHbanM8opdGftwT64NUtVBvxdd4vh1KyhPYqbEDhFy\
            Ki1Lh6xW71qopHTDjKI4hf5twgoaq_heP97i8m1oTEXCzTMBZ256GDrGy-fBZ15acBDN8-8",
        "dp": "\
            vLcgD2xC3m_AVnhV7FQXgsAuziOuTnaMfSwcSOX11b2P94NFI3Q9ND8EDKJ-4WHWeMfHlwAFzdAbmGCqeLejAxtfUha9VGSWpF_-\
            K7Z64FDJ0va4j1fQoN8oO2_kTnPRedijDaoY4HTJqsFf15fh8lH9A1AG90Q60-TZMaeQ_us",
        "dq": "\
            b7YKIeqoRaiRiXLUHtg7g4joalkdy9W-f9EI9iU8lgOXU8PXF0ODkUneNwa_HcG1FMjb2iXxJc21nb6V2NY4P3ZSx3dH2W7lZPx8\
            VUu-lq6e98xT3YXX2o_Bqj8QRQWZgn9NJmBZTCv-g_8SUX3I6wrfJtys7j-Z_fGkLGbD2O8",
        "qi": "\
            g7jYvPrztSg0vW6w71wW3ProPbgRpEik-u-RvC9Or66sdyAKJxlBpaYiL69SZYlP7Un2mHamo9EuXFO7KYZXOhH2-N3RBSaemjhO\
            t9sz-w2b5ZG_u9kedOfEk82UUVJGEHphz6MmHrjIOICZSNzWajyar45_x-TXLqYAlqk6JBk",
        "kid": "rsa",
    })
}

/// By [`ec_jwk`].
pub(crate) const ES256_TOKEN: &str = "\
    eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIiwidHlwIjoiSldUIn0.eyJzdWIiOiJzb21lb25lIiwiZXhwIjoyMDAwMDAwMDAwfQ.ZPcqfyfoDP9gt\
    Y27yFUebhKxhQ44HGFcZ2S0M7nr8t1pSNqfOTVT4CooGTPlJaE2L4O8fpU6YXp12kfdVVPx_Q";

/// By [`ed_jwk`].
pub(crate) const EDDSA_TOKEN: &str = "\
    eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJzdWIiOiJzb21lb25lIiwiZXhwIjoyMDAwMDAwMDAwfQ.0ZTYIG-xoJKB-\
    jd4p1UTyV9d2ppz_zXi16m6gzGtcurwe-hELesWCvRHMUrd4Vz9QMncqXCpwYWI8wLxCJOFCg";

/// By [`rsa_jwk`].
pub(crate) const RS256_TOKEN: &str = "\
    eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIiwiZXhwIjoyMDAwMDAwMDAwfQ.oY2ekV0WtkZc\
    XHT1ZDhggNYA2pIptjDV9eQX2dE42uEY2ysbmuZsFQJZAOM9RjNMc2h3VGWwy4ERQWTjMb80zTEro6A3_30uFFPOLaYklPcVabntWx6Oye4kqCDs\
    AULQrUAGSCU0GpTK0sR-O1eWOOvti607kXsY-GTLDIClauQQYwdVNUIhd8AIdXoLa5xf4OhPAV2iaiXZifE7VSmASX-hfMGEs6fruGFR2EXSCg7c\
    arXjpr98TE_31sQxy1YfEU3C4nN6PSw6Ge0zmPUT2NGZgQaOiaUH0zEz0yimDVLvzEBEZlhBuZ4HUbXrG4f3W72a19qb7OM4Bnby9GnhOg";

/// By [`shared_secret`].
pub(crate) const HS256_TOKEN: &str = "\
    eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIiwiZXhwIjoyMDAwMDAwMDAwfQ.NqMoxtthHpFBAdsr3QSmRhg3MHI4\
    rCNNuSqmDK-7WB0";
