//! Weak public keys: keys whose private key anyone can compute or look up, so
//! that a signature proves nothing. Pure.
//!
//! RSA numbers are checked as NIST SP 800-89 section 5.3.3 asks (partial
//! public-key validation). The checks fall into two groups by cost: [`exponent`],
//! [`small_factor`], [`ed25519`] and [`published`] take microseconds and run for
//! every key that is read; [`modulus`] takes milliseconds and runs only for keys
//! that are not on the mount yet.

use crate::keychain::key_error::{EXPONENT_AT_LEAST, KeyError};
use crate::keychain::key_id::KeyId;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams, ConstMontyForm};
use crypto_bigint::{BoxedUint, Gcd, Limb, NonZero, Odd, Resize, U256, Word};
use crypto_primes::Flavor;

/// Checks an RSA exponent.
pub fn exponent(exponent: u64) -> Result<(), KeyError> {
    if exponent < EXPONENT_AT_LEAST || exponent.is_multiple_of(2) {
        return Err(KeyError::Exponent(exponent));
    }
    Ok(())
}

/// SP 800-89 section 5.3.3: no factor below this.
const FACTORS_BELOW: usize = 752;

/// How many prime numbers there are below [`FACTORS_BELOW`].
const PRIMES: usize = 133;

/// Those prime numbers, by the sieve of Eratosthenes.
const SMALL_PRIMES: [Word; PRIMES] = {
    let mut composite = [false; FACTORS_BELOW];
    let (mut primes, mut found, mut number) = ([0; PRIMES], 0, 2);
    while number < FACTORS_BELOW {
        if !composite[number] {
            primes[found] = number as Word;
            found += 1;
            let mut multiple = number * number;
            while multiple < FACTORS_BELOW {
                composite[multiple] = true;
                multiple += number;
            }
        }
        number += 1;
    }
    primes
};

/// Checks that an RSA modulus has no factor below 752; an even one has.
pub fn small_factor(modulus: &BoxedUint) -> Result<(), KeyError> {
    let mut primes = SMALL_PRIMES.as_slice();
    while !primes.is_empty() {
        // As many at once as fit into a machine word: dividing the modulus is
        // what costs.
        let (mut product, mut taken): (Word, usize) = (1, 0);
        while let Some(larger) = primes.get(taken).and_then(|prime| product.checked_mul(*prime)) {
            (product, taken) = (larger, taken + 1);
        }
        let (now, later) = primes.split_at(taken);
        primes = later;
        let Some(divisor) = NonZero::new(Limb(product)).into_option() else { break };
        let remainder = modulus.rem_limb(divisor).0;
        if let Some(prime) = now.iter().find(|prime| remainder.is_multiple_of(**prime)) {
            return Err(KeyError::SmallFactor(*prime));
        }
    }
    Ok(())
}

/// Checks that an RSA modulus is neither a prime number nor a power of one.
/// Costs one exponentiation with an exponent as long as the modulus.
///
/// If p divides n = p^k, then 2^n = 2 modulo p (Fermat's little theorem, k
/// times), so 2^n - 2 and n have a common factor. Where they have none, n is
/// proven to be neither: no choice of numbers gets around that. A product of two
/// random prime numbers of 1024 bits has a common factor with a probability of
/// about 2^-1000, so nothing is lost by refusing whatever has one.
pub fn modulus(params: &BoxedMontyParams) -> Result<(), KeyError> {
    let n = params.modulus();
    let two = BoxedMontyForm::new(BoxedUint::from(2u8).resize(params.bits_precision()), params);
    let difference = two.pow(n.as_ref()).sub(&two).retrieve();
    let common = n.gcd_vartime(&difference);
    if common.as_ref().is_one().into() {
        return Ok(());
    }
    // It is refused; what follows finds the words.
    let is_prime = |number: &Odd<BoxedUint>| crypto_primes::is_prime(Flavor::Any, number.as_ref());
    Err(match common.as_ref() == n.as_ref() {
        true if is_prime(n) => KeyError::Prime,
        false if is_power(n, &common) && is_prime(&common) => KeyError::PrimePower,
        _ => KeyError::NotRandom,
    })
}

/// Whether `number` is a power of `root`.
fn is_power(number: &Odd<BoxedUint>, root: &Odd<BoxedUint>) -> bool {
    let mut rest = number.as_ref().clone();
    while !bool::from(rest.is_one()) {
        let (quotient, remainder) = rest.div_rem_vartime(root.as_nz_ref());
        if bool::from(remainder.is_nonzero()) {
            return false;
        }
        rest = quotient;
    }
    true
}

/// The field of Ed25519: modulo 2^255 - 19 (RFC 8032 section 5.1).
mod field {
    crypto_bigint::const_monty_params!(
        Prime,
        crypto_bigint::U256,
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
    );
}

/// A number modulo 2^255 - 19.
type FieldElement = ConstMontyForm<field::Prime, { U256::LIMBS }>;

/// The curve's d, -121665/121666 (RFC 8032 section 5.1).
const D: FieldElement =
    FieldElement::new(&U256::from_be_hex("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"));

/// Checks an Ed25519 public key: that it encodes a point (RFC 8032 section
/// 5.1.3), and one whose order is not small. Verifiers differ in what they do
/// with the others; for a point of small order, one signature can be valid for
/// many messages.
pub fn ed25519(encoded: &[u8; 32]) -> Result<(), KeyError> {
    let mut bytes = *encoded;
    // The top bit is the sign of x, and no sign makes a difference here.
    bytes[31] &= 0x7f;
    let number = U256::from_le_slice(&bytes);
    // Reduces what is not, so that other encodings of a weak point are weak.
    let y = FieldElement::new(&number);
    let (one, y2) = (FieldElement::ONE, y.square());
    // On the curve -x^2 + y^2 = 1 + d x^2 y^2, x is zero where y^2 = 1 (order 1
    // and 2), y is zero at order 4, and at order 8 the doubled point has y = 0:
    // x^2 = -y^2, so d y^4 + 2 y^2 = 1.
    if y2 == one || y == FieldElement::ZERO || D * y2.square() + y2.double() == one {
        return Err(KeyError::SmallOrder);
    }
    // x^2 = (y^2 - 1) / (d y^2 + 1) has a root if the product is a square: the
    // two differ by the square of the divisor. The product is not zero: y^2 is
    // not 1, and -1/d is no square.
    let product = (y2 - one) * (D * y2 + one);
    match product.jacobi_symbol_vartime() {
        crypto_bigint::JacobiSymbol::One if number == y.retrieve() => Ok(()),
        _ => Err(KeyError::OffCurve),
    }
}

/// Example keys that people copy, by identity, with the place that publishes the
/// private key too. Each pair was tried: the private key fits.
const PUBLISHED: [(&str, &str); 12] = [
    ("b9E8JDWjYefFiM0X9V9a098Bd6ZsFyemogCEX016uIw", "RFC 7515 appendix A.2"), // RSA
    ("K9G7DESol8MKeqCZHN442AYv5EHeUNoPRoJTRPYC6Cc", "RFC 7515 appendix A.3"), // P-256
    ("kUbOc9ar7aXgq2km572bVj8vIli0iNUgU0oLhLpYcd8", "RFC 7515 appendix A.4"), // P-521
    ("rTIyDPbFltiEsFOBulc6uo3dV0m03o9KI6efmondrrI", "RFC 7517 appendix A.2"), // RSA
    ("UblEzfpUTUwyc6pr81BiWn3VO7tqcXIydPU4sZogd2A", "RFC 7517 appendix A.2"), // P-256
    ("xkeaFaUKxM2bZBTifGm_NzRdwQRtxkiHXEiY-9Ncx0s", "RFC 7520 section 3.2"),  // P-521
    ("Yndx8l2kJtH5rjFeQhBtcAsVKYUO7hWSrPOWA5WdeV0", "RFC 7520 section 3.4"),  // RSA
    ("BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k", "RFC 8037 appendix A.1"), // Ed25519
    ("JHJehTTTZlsspKHT-GaJxK7Kd1NQgZJu3fyK6K_QDYU", KUBERNETES),              // RSA
    ("SoABiieYuNx4UdqYvZRVeuC6SihxgLrhLy9peHMHpTc", KUBERNETES),              // P-256
    ("MbtQUJSadTe6DXtqrsB3xe82FPnl5maeKkEhGKkBXJE", KUBERNETES),              // P-256
    ("9WyLASJ_Yt28FusppqwLMQ4nZ2Cl4GMC-ogaNRRva8c", "the RS256 example of jwt.io"), // RSA
];

/// Keys of unit tests that sign service account tokens.
const KUBERNETES: &str = "the source of Kubernetes (pkg/serviceaccount/jwt_test.go)";

/// Checks that the private key is not known to be published.
pub fn published(id: KeyId) -> Result<(), KeyError> {
    let id = id.to_string();
    match PUBLISHED.iter().find(|(known, _)| *known == id) {
        Some((_, place)) => Err(KeyError::Published(place)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
