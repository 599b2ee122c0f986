//! Parses the parameters after an address: `SIZE=1000 BODY=8BITMIME SMTPUTF8 AUTH=<> RET=HDRS` (RFC
//! 5321 4.1.2, 1870, 6152, 6531, 4954, 3461).

use crate::sandbox::smtp::reply::Refusal;
use crate::sandbox::smtp::{SmtpExtensions, refuse};

/// The parameters of MAIL that matter later; the others are only checked.
#[derive(Default)]
pub(crate) struct Parameters {
    pub(crate) utf8: bool,
}

impl Parameters {
    /// Parses the text after the address: nothing, or a space and parameters separated by single
    /// spaces.
    pub(crate) fn of_mail(text: &str, extensions: &SmtpExtensions) -> Result<Parameters, Refusal> {
        let mut parameters = Parameters::default();
        let mut seen: Vec<String> = Vec::new();
        for (keyword, value) in split(text)? {
            if seen.contains(&keyword) {
                return refuse(501, "5.5.4", format!("Parameter {keyword} comes twice."));
            }
            match (keyword.as_str(), value) {
                ("SIZE", Some(value)) if extensions.size.is_some() => {
                    check_size(value, extensions.size_limit())?
                }
                ("BODY", Some(value)) if extensions.eight_bit_mime => {
                    if !["7BIT", "8BITMIME"].iter().any(|known| value.eq_ignore_ascii_case(known)) {
                        return refuse(501, "5.5.4", "BODY is 7BIT or 8BITMIME.");
                    }
                }
                ("SMTPUTF8", None) if extensions.smtp_utf8 => parameters.utf8 = true,
                ("AUTH", Some(value)) if extensions.has_auth() => {
                    if !is_xtext(value) {
                        return refuse(
                            501,
                            "5.5.4",
                            "AUTH needs an address or <>, encoded as RFC 3461 says.",
                        );
                    }
                }
                ("RET", Some(value)) if extensions.dsn => {
                    if !["FULL", "HDRS"].iter().any(|known| value.eq_ignore_ascii_case(known)) {
                        return refuse(501, "5.5.4", "RET is FULL or HDRS.");
                    }
                }
                ("ENVID", Some(value)) if extensions.dsn => {
                    if !is_xtext(value) || value.len() > 100 {
                        return refuse(501, "5.5.4", "ENVID needs up to 100 octets of xtext.");
                    }
                }
                ("SIZE", None) if extensions.size.is_some() => {
                    return refuse(501, "5.5.4", "SIZE needs a number.");
                }
                ("SMTPUTF8", Some(_)) if extensions.smtp_utf8 => {
                    return refuse(501, "5.5.4", "SMTPUTF8 takes no value.");
                }
                _ => return refuse(555, "5.5.4", format!("Parameter {keyword} is not supported.")),
            }
            seen.push(keyword);
        }
        Ok(parameters)
    }

    /// Checks the parameters of RCPT, which are those of DSN.
    pub(crate) fn of_rcpt(text: &str, extensions: &SmtpExtensions) -> Result<(), Refusal> {
        let mut seen: Vec<String> = Vec::new();
        for (keyword, value) in split(text)? {
            if seen.contains(&keyword) {
                return refuse(501, "5.5.4", format!("Parameter {keyword} comes twice."));
            }
            match (keyword.as_str(), value) {
                ("NOTIFY", Some(value)) if extensions.dsn => {
                    let value = value.to_ascii_uppercase();
                    let is_event = |event: &str| ["SUCCESS", "FAILURE", "DELAY"].contains(&event);
                    if value != "NEVER" && !value.split(',').all(is_event) {
                        return refuse(501, "5.5.4", "NOTIFY is NEVER, or a list of events.");
                    }
                }
                ("ORCPT", Some(value)) if extensions.dsn => {
                    let address = value.split_once(';').map(|(_, address)| address);
                    if !address.is_some_and(is_xtext) || value.len() > 500 {
                        return refuse(501, "5.5.4", "ORCPT needs a type and an address in xtext.");
                    }
                }
                _ => return refuse(555, "5.5.4", format!("Parameter {keyword} is not supported.")),
            }
            seen.push(keyword);
        }
        Ok(())
    }
}

fn split(text: &str) -> Result<Vec<(String, Option<&str>)>, Refusal> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(text) = text.strip_prefix(' ') else {
        return refuse(501, "5.5.4", "A space must follow the address.");
    };
    let parameter = |parameter| {
        split_parameter(parameter)
            .map_or_else(|| refuse(501, "5.5.4", "A parameter is malformed."), Ok)
    };
    text.split(' ').map(parameter).collect()
}

/// Splits an `esmtp-param` (RFC 5321 4.1.2) into keyword, in capitals, and value.
fn split_parameter(parameter: &str) -> Option<(String, Option<&str>)> {
    let (keyword, value) = match parameter.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (parameter, None),
    };
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let sound =
        keyword.starts_with(|c: char| c.is_ascii_alphanumeric()) && keyword.bytes().all(inner);
    let valued = value.is_none_or(|value| !value.is_empty() && !value.contains('='));
    (sound && valued).then(|| (keyword.to_ascii_uppercase(), value))
}

/// Checks a SIZE of up to twenty digits (RFC 1870 6.1).
fn check_size(value: &str, limit: u64) -> Result<(), Refusal> {
    if value.len() > 20 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return refuse(501, "5.5.4", "SIZE needs a number.");
    }
    // Twenty digits may exceed a `u64`.
    if value.parse().unwrap_or(u64::MAX) > limit {
        return refuse(552, "5.3.4", "The letter is too big.");
    }
    Ok(())
}

/// Whether a value is `xtext`: printable ASCII, with `+` only before two upper-case hexadecimal
/// digits (RFC 3461 4).
fn is_xtext(value: &str) -> bool {
    let hexadecimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    let mut pieces = value.as_bytes().split(|byte| *byte == b'+');
    let printable = value.bytes().all(|byte| byte.is_ascii_graphic());
    pieces.next();
    printable && pieces.all(|piece| piece.len() >= 2 && piece[..2].iter().all(hexadecimal))
}
