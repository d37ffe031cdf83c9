//! Argon2 hashes as PHC strings (RFC 9106).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::{HashError, bounded};
use crate::digest::constant_time_eq;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT_LENGTH: usize = 32;

/// Of a random password that nobody kept.
pub(super) const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$FMAy23RhGhI7t6hl3SSGoQ$C6ccZhlnvE+WStlz9Y/fqbDCkM5OeVrFuKGCgfhFJbg";

const UNREADABLE: HashError = HashError("is no argon2 hash this server reads");

/// What is as large as this, glibc takes from the system and gives back to it (mallopt(3), `M_MMAP_THRESHOLD`: at most 32 MiB);
/// smaller memory stays with the thread that had it. Blocks that are not touched cost nothing.
const RETURNED_BLOCKS: usize = 33 * 1_024;

/// Memory in which hashes are computed, one at a time. Who keeps it from one hash to the next spares the system getting,
/// clearing and taking back 19 MiB for each.
#[derive(Default)]
pub struct Scratch(Vec<Block>);

impl Scratch {
    /// Computes in `count` blocks. What it takes beyond the memory of new hashes, as some imported ones do, is given back.
    fn lend<T>(&mut self, count: usize, compute: impl FnOnce(&mut [Block]) -> T) -> T {
        if self.0.len() < count {
            self.0 = Vec::with_capacity(count.max(RETURNED_BLOCKS));
            self.0.resize(count, Block::default());
        }
        let done = compute(self.0.get_mut(..count).unwrap_or_default());
        if self.0.len() > MEMORY_KIB as usize {
            self.0 = Vec::new();
        }
        done
    }
}

pub(super) fn hash(password: &str, salt: &[u8], scratch: &mut Scratch) -> Result<String, HashError> {
    let params = params(MEMORY_KIB, PASSES, LANES, OUTPUT_LENGTH)?;
    let mut output = Zeroizing::new([0; OUTPUT_LENGTH]);
    compute(Algorithm::Argon2id, params, password, salt, output.as_mut_slice(), scratch)?;
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output.as_slice()));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${output}"))
}

fn compute(
    algorithm: Algorithm,
    params: Params,
    password: &str,
    salt: &[u8],
    output: &mut [u8],
    scratch: &mut Scratch,
) -> Result<(), HashError> {
    let count = params.block_count();
    let argon2 = Argon2::new(algorithm, Version::V0x13, params);
    scratch
        .lend(count, |blocks| argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, blocks))
        .map_err(|_| HashError("could not be computed"))
}

fn params(memory: u32, passes: u32, lanes: u32, output: usize) -> Result<Params, HashError> {
    Params::new(memory, passes, lanes, Some(output)).map_err(|_| UNREADABLE)
}

/// A stored hash within the limits of `contract/core.md` §5.2: at most 1 GiB, 20 passes and 16 lanes. As RFC 9106
/// demands, a salt has at least 8 bytes and every lane at least 8 KiB.
pub(super) struct Parsed {
    algorithm: Algorithm,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Parsed {
    pub(super) fn read(stored: &str) -> Result<Self, HashError> {
        Self::split(stored).ok_or(UNREADABLE)
    }

    fn split(stored: &str) -> Option<Self> {
        let fields: Vec<&str> = stored.split('$').collect();
        let ["", algorithm, "v=19", costs, salt, output] = fields.as_slice() else { return None };
        let algorithm = match *algorithm {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            _ => return None,
        };
        let costs: Vec<&str> = costs.split(',').collect();
        let [memory, passes, lanes] = costs.as_slice() else { return None };
        let memory = bounded(memory.strip_prefix("m=")?, 1..=1_048_576)?;
        let passes = bounded(passes.strip_prefix("t=")?, 1..=20)?;
        let lanes = bounded(lanes.strip_prefix("p=")?, 1..=16)?;
        let salt = STANDARD_NO_PAD.decode(salt).ok().filter(|salt| salt.len() >= argon2::MIN_SALT_LEN)?;
        let output = STANDARD_NO_PAD.decode(output).ok()?;
        let params = params(memory, passes, lanes, output.len()).ok()?;
        Some(Self { algorithm, params, salt, output })
    }

    pub(super) fn matches(&self, password: &str, scratch: &mut Scratch) -> Result<bool, HashError> {
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        compute(self.algorithm, self.params.clone(), password, &self.salt, &mut output, scratch)?;
        Ok(constant_time_eq(&output, &self.output))
    }

    pub(super) fn is_weak(&self) -> bool {
        !matches!(self.algorithm, Algorithm::Argon2id)
            || self.params.m_cost() < MEMORY_KIB
            || self.params.t_cost() < PASSES
            || self.output.len() < OUTPUT_LENGTH
    }
}
