//! Domains that are not ASCII: their A-labels (RFC 5890), so that every server takes the address.
//!
//! A label is mapped to lower case and normal width (RFC 5895), checked, and encoded in Punycode (RFC
//! 3492). The checks are those that need no table of characters: letters, digits and marks, hyphens
//! only inside, and the few other characters that IDNA 2008 allows. A name that no registry would
//! take finds no server.

use crate::proto::error::EncodeError;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest label in bytes (RFC 1035 2.3.4).
const LONGEST_LABEL: usize = 63;

/// Characters other than letters, digits and marks that a label may have (RFC 5892 A).
const OTHERS: [char; 6] = ['-', '\u{b7}', '\u{375}', '\u{5f3}', '\u{5f4}', '\u{30fb}'];

/// Returns an address with the domain in ASCII, if only the domain is not: `a@köln.de` becomes
/// `a@xn--kln-sna.de`. Other addresses stay as they are.
///
/// # Errors
/// [`EncodeError`] if the domain has a label that cannot be registered.
pub fn ascii_domain(address: &str) -> Result<Cow<'_, str>, EncodeError> {
    match address.rsplit_once('@') {
        Some((local, domain)) if local.is_ascii() && !domain.is_ascii() => {
            let domain = a_labels(domain).ok_or_else(|| {
                EncodeError::new("address", "a domain of letters and digits", address.as_bytes())
            })?;
            Ok(Cow::Owned(format!("{local}@{domain}")))
        }
        _ => Ok(Cow::Borrowed(address)),
    }
}

/// Returns a domain in A-labels; `None` if a label cannot be encoded.
fn a_labels(domain: &str) -> Option<String> {
    let mapped: String = domain.chars().flat_map(char::to_lowercase).nfkc().collect();
    let labels: Option<Vec<String>> =
        mapped.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(a_label).collect();
    Some(labels?.join(".")).filter(|domain| domain.len() <= 253)
}

fn a_label(label: &str) -> Option<String> {
    if label.is_ascii() {
        return Some(label.to_owned());
    }
    let fits = |c: char| c.is_alphanumeric() || is_combining_mark(c) || OTHERS.contains(&c);
    let is_sound = label.chars().all(fits)
        && !label.starts_with(is_combining_mark)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.chars().skip(2).collect::<String>().starts_with("--");
    let encoded = format!("xn--{}", punycode(label)?);
    (is_sound && encoded.len() <= LONGEST_LABEL).then_some(encoded)
}

/// Encodes in Punycode (RFC 3492 6.3); `None` on overflow, which no name of a sane length reaches.
fn punycode(label: &str) -> Option<String> {
    let code_points: Vec<u32> = label.chars().map(u32::from).collect();
    let mut encoded: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(encoded.len()).ok()?;
    if basic > 0 {
        encoded.push('-');
    }
    let (mut next, mut delta, mut bias, mut handled) = (128_u32, 0_u32, 72_u32, basic);
    while (handled as usize) < code_points.len() {
        let lowest = code_points.iter().copied().filter(|code| *code >= next).min()?;
        delta = delta.checked_add((lowest - next).checked_mul(handled + 1)?)?;
        next = lowest;
        for &code in &code_points {
            if code < next {
                delta = delta.checked_add(1)?;
            } else if code == next {
                let mut rest = delta;
                for k in (36_u32..).step_by(36) {
                    let threshold = k.saturating_sub(bias).clamp(1, 26);
                    if rest < threshold {
                        break;
                    }
                    encoded.push(digit(threshold + (rest - threshold) % (36 - threshold)));
                    rest = (rest - threshold) / (36 - threshold);
                }
                encoded.push(digit(rest));
                bias = adapted(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        next = next.checked_add(1)?;
    }
    Some(encoded)
}

/// The bias for the next delta (RFC 3492 6.1).
fn adapted(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut bias = 0;
    while delta > 455 {
        delta /= 35;
        bias += 36;
    }
    bias + 36 * delta / (delta + 38)
}

/// A digit of base 36: `a` to `z`, then `0` to `9`.
fn digit(value: u32) -> char {
    let value = value as u8; // below 36
    char::from(if value < 26 { b'a' + value } else { b'0' + (value - 26) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_domains_have_their_a_labels() {
        for (domain, expected) in [
            ("köln.de", "xn--kln-sna.de"),
            ("KÖLN.de", "xn--kln-sna.de"),
            ("ko\u{308}ln.de", "xn--kln-sna.de"),
            ("faß.de", "xn--fa-hia.de"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("www.münchen.example", "www.xn--mnchen-3ya.example"),
            ("日本語。jp", "xn--wgv71a119e.jp"),
            ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
            ("παράδειγμα.δοκιμή", "xn--hxajbheg2az3al.xn--jxalpdlp"),
            ("l·l.cat", "xn--ll-0ea.cat"),
        ] {
            let found = ascii_domain(&format!("a@{domain}")).map(Cow::into_owned);
            assert_eq!(found.as_deref(), Ok(format!("a@{expected}").as_str()), "{domain}");
        }
    }

    #[test]
    fn the_examples_of_rfc_3492_are_encoded() {
        for (label, expected) in [
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("Pročprostěnemluvíčesky", "Proprostnemluvesky-uyb24dma41a"),
            ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("TạisaohọkhôngthểchỉnóitiếngViệt", "TisaohkhngthchnitingVit-kjcr8268qyxafd2f1b9g"),
            ("3年B組金八先生", "3B-ww4c5e180e575a65lsy2b"),
            ("パフィーdeルンバ", "de-jg4avhby1noc0d"),
            ("そのスピードで", "d9juau41awczczp"),
        ] {
            assert_eq!(punycode(label).as_deref(), Some(expected), "{label}");
        }
    }

    #[test]
    fn other_addresses_stay_and_impossible_domains_are_refused() {
        for address in ["a@b.c", "jörg@köln.de", "a", "", "a@xn--kln-sna.de"] {
            assert_eq!(ascii_domain(address).as_deref(), Ok(address));
        }
        let long = format!("a@{}.de", "ü".repeat(64));
        for address in [
            "a@😀.de",
            "a@-ü.de",
            "a@ü-.de",
            "a@ab--ü.de",
            "a@\u{301}ü.de",
            "a@ü ü.de",
            "a@ü>.de",
            &long,
        ] {
            assert!(ascii_domain(address).is_err(), "{address}");
        }
    }
}
