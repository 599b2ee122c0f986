//! Passwords and tokens: where they come from, and when they are looked up.
//!
//! A secret is a string, a procedure, or a source: an environment variable, a program, a file, the
//! keyring. `Source::read` checks its form and the policy together with the other arguments of a
//! call. `Login::credentials` looks the secret up later, when everything else about the connection
//! has been checked. Every secret is registered with the context, so that reports and warnings do
//! not show it. Messages say which kind of value is wrong, never the value.

use super::program;
use super::state::state;
use crate::client::{Auth, Credentials};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Value};
use crate::proto::sasl::Mechanism;
use crate::shown::escape_controls;
use std::io::{self, Read};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The accepted forms of a secret, for messages.
const EXPECTED: &str = "a string, a procedure of no arguments, (:env \"NAME\"), (:command \"program\" …), (:file \"path\") or (:keyring \"service\")";

/// The longest secret that is read from a file or a program, in bytes. Tokens have a few thousand.
pub(super) const LONGEST: usize = 65_536;

/// Asks the person at the terminal for a secret, without showing the typed text. The arguments are
/// the question and a function that says whether the form was interrupted. `None` means the end of
/// input.
pub type AskSecret =
    Arc<dyn Fn(&str, &dyn Fn() -> bool) -> io::Result<Option<Zeroizing<String>>> + Send + Sync>;

/// A password or a token, as given by the script.
enum Source {
    Text(Zeroizing<String>),
    Procedure(Value),
    Variable(String),
    Command(Vec<String>),
    File(String),
    Keyring(String),
}

impl Source {
    /// Checks the form, and whether the script may use this source. Looks nothing up yet.
    fn read(
        context: &Context,
        function: &str,
        key: &str,
        value: &Value,
    ) -> Result<Source, Condition> {
        let wrong = |came: &str| {
            Condition::syntax(format!("{function}: :{key}: expected {EXPECTED}, got {came}"))
        };
        if let Some(text) = host::as_str(value) {
            context.keep_secret(text);
            return Ok(Source::Text(Zeroizing::new(text.to_owned())));
        }
        if host::is_procedure(value) {
            return Ok(Source::Procedure(value.clone()));
        }
        let items: Vec<Value> = host::as_list(value).ok_or_else(|| wrong(kind(value)))?.collect();
        let Some((first, rest)) = items.split_first() else {
            // `(getenv "NAME")` returns nil for an unset variable.
            return Err(wrong(&match context.unset_variable() {
                Some(name) => format!("nil: the environment variable {name} is not set"),
                None => "nil".to_owned(),
            }));
        };
        let words: Option<Vec<String>> =
            rest.iter().map(|word| host::as_str(word).map(str::to_owned)).collect();
        let words = words
            .filter(|words| !words.is_empty() && words.iter().all(|word| !word.contains('\0')));
        let refused = |refusal| host::not_allowed(function, &refusal);
        match (host::as_keyword(first), words) {
            (Some("env"), Some(words))
                if words.len() == 1 && host::is_variable_name(words[0].as_bytes()) =>
            {
                context.policy().check_variable(&words[0]).map_err(refused)?;
                Ok(Source::Variable(one(words)))
            }
            (Some("file"), Some(words)) if words.len() == 1 => {
                context.policy().check_reading(std::path::Path::new(&words[0])).map_err(refused)?;
                Ok(Source::File(one(words)))
            }
            (Some("keyring"), Some(words)) if words.len() == 1 => {
                context.policy().check_keyring().map_err(refused)?;
                Ok(Source::Keyring(one(words)))
            }
            (Some("command"), Some(words)) => {
                context.policy().check_program(&words[0]).map_err(refused)?;
                Ok(Source::Command(words))
            }
            (Some(key @ ("env" | "file" | "keyring" | "command")), _) => {
                Err(wrong(&format!("a list that begins with :{key} and goes on in another way")))
            }
            _ => Err(wrong("another list")),
        }
    }

    fn text(&self, call: &Call<'_>, key: &str, user: &str) -> Result<Zeroizing<String>, Condition> {
        let function = call.name();
        let failed = |what: &str| {
            Condition::new(Identifier::Authentication, format!("{function}: :{key}: {what}"))
        };
        let text = match self {
            Source::Text(text) => text.clone(),
            Source::Procedure(procedure) => {
                let value = call.result_of(procedure)?;
                let wrong = || {
                    Condition::syntax(format!(
                        "{function}: :{key}: expected a procedure that returns a string, got {}",
                        kind(&value)
                    ))
                };
                Zeroizing::new(host::as_str(&value).ok_or_else(wrong)?.to_owned())
            }
            Source::Variable(name) => match std::env::var(name) {
                Ok(text) => Zeroizing::new(text),
                Err(std::env::VarError::NotPresent) => {
                    return Err(failed(&format!("the environment variable {name} is not set")));
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(failed(&format!("the environment variable {name} is not UTF-8")));
                }
            },
            Source::Command(words) => program::first_line(call, key, words)?,
            Source::File(path) => first_line_of_file(call, key, path)?,
            Source::Keyring(service) => from_keyring(service, user)
                .map_err(|(identifier, what)| Condition::new(identifier, failed(&what).message))?,
        };
        call.context().keep_secret(&text);
        if text.is_empty() && !matches!(self, Source::Text(_)) {
            return Err(failed(&format!("{} is empty", self.name())));
        }
        Ok(text)
    }

    /// Returns the name of the source for a message.
    fn name(&self) -> String {
        match self {
            Source::Text(_) => "the string".into(),
            Source::Procedure(_) => "what the procedure returned".into(),
            Source::Variable(name) => format!("the environment variable {name}"),
            Source::Command(words) => format!("the first line of {}", escape_controls(&words[0])),
            Source::File(path) => format!("the first line of the file {}", escape_controls(path)),
            Source::Keyring(service) => format!("the keyring's {}", escape_controls(service)),
        }
    }
}

fn one(words: Vec<String>) -> String {
    words.into_iter().next().unwrap_or_default()
}

/// Describes a wrong value for a secret without showing it.
fn kind(value: &Value) -> &'static str {
    match value {
        _ if host::is_nil(value) => "nil",
        _ if host::as_str(value).is_some() => "a string",
        _ if host::as_float(value).is_some() => "a number",
        _ if host::as_symbol(value).is_some() => "a symbol",
        _ if host::as_list(value).is_some() => "a list",
        _ if host::is_procedure(value) => "a procedure",
        _ => "something else",
    }
}

/// Returns the first line, without its end; `None` if it is not UTF-8.
pub(super) fn line_of(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    std::str::from_utf8(line).ok().map(|line| Zeroizing::new(line.to_owned()))
}

/// Reads the first line of a file. A file that everybody can read is accepted with a warning,
/// because containers hand secrets over in this way.
fn first_line_of_file(
    call: &Call<'_>,
    key: &str,
    path: &str,
) -> Result<Zeroizing<String>, Condition> {
    let real = call.readable(path)?;
    let wrong = |what: &dyn std::fmt::Display| {
        Condition::new(
            Identifier::File,
            format!("{}: :{key}: the file {}: {what}", call.name(), escape_controls(path)),
        )
    };
    let file = std::fs::File::open(real).map_err(|error| wrong(&error))?;
    // Full capacity from the start, so that growing leaves no copy in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    (&file).take(LONGEST as u64).read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
    #[cfg(unix)]
    if let Ok(facts) = file.metadata()
        && std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o004 != 0
    {
        call.context().warn(Condition::new(
            Identifier::Problem,
            wrong(&"every user of this machine can read it").message,
        ));
    }
    line_of(&bytes).ok_or_else(|| wrong(&"its first line is not UTF-8"))
}

#[cfg(feature = "keyring")]
fn from_keyring(service: &str, user: &str) -> Result<Zeroizing<String>, (Identifier, String)> {
    use keyring::v1::Entry;
    if let Err(error) = Entry::store_status() {
        return Err((
            Identifier::Authentication,
            format!("the keyring of this system cannot be reached: {error}"),
        ));
    }
    let password = Entry::new(service, user).and_then(|entry| entry.get_password());
    password.map(Zeroizing::new).map_err(|error| {
        let (service, user) = (escape_controls(service), escape_controls(user));
        (
            Identifier::Authentication,
            format!("the keyring gives nothing for {user} of {service}: {error}"),
        )
    })
}

#[cfg(not(feature = "keyring"))]
fn from_keyring(_service: &str, _user: &str) -> Result<Zeroizing<String>, (Identifier, String)> {
    let what = "this build knows no keyring; the cargo feature \"keyring\" adds it (cargo install --features keyring)";
    Err((Identifier::Unsupported, what.to_owned()))
}

/// The user, and where the secret comes from.
pub(super) struct Login {
    user: String,
    secret: Held,
    auth: Option<Auth>,
}

enum Held {
    Password(Source),
    Token(Source),
    /// The client certificate replaces the secret.
    Certificate,
    /// The person at the terminal is asked.
    Asked,
}

impl Login {
    /// Checks the parts of a login. All protocols use these key names.
    pub fn new(
        call: &Call<'_>,
        user: &str,
        password: Option<&Value>,
        token: Option<&Value>,
        auth: Option<Auth>,
    ) -> Result<Login, Condition> {
        let source = |key, value: Option<&Value>| {
            value.map(|value| Source::read(call.context(), call.name(), key, value)).transpose()
        };
        let (password, token) = (source("password", password)?, source("token", token)?);
        let wrong = |what: &str| Condition::syntax(format!("{}: expected {what}", call.name()));
        let takes_token = match auth {
            Some(Auth::Sasl(mechanism)) => Some(mechanism.takes_token()),
            Some(_) => Some(false),
            None => None,
        };
        let secret = match (password, token) {
            (Some(_), Some(_)) => return Err(wrong(":password or :token, not both")),
            (Some(_), None) if takes_token == Some(true) => {
                return Err(wrong(":token with a string, for this :auth"));
            }
            (None, Some(_)) if takes_token == Some(false) => {
                return Err(wrong(":password with a string, for this :auth"));
            }
            (Some(password), None) => Held::Password(password),
            (None, Some(token)) => Held::Token(token),
            (None, None) if auth == Some(Auth::Sasl(Mechanism::External)) => Held::Certificate,
            (None, None) if auth.is_none() && state(call).ask_secret.is_some() => Held::Asked,
            (None, None) => return Err(wrong(":password with a string")),
        };
        Ok(Login { user: user.to_owned(), secret, auth })
    }

    /// Looks the secret up. Everything else about the connection has been checked by then.
    pub fn credentials(&self, call: &Call<'_>, host: &str) -> Result<Credentials, Condition> {
        let (text, auth) = match &self.secret {
            Held::Password(source) => (source.text(call, "password", &self.user)?, self.auth),
            Held::Token(source) => {
                (source.text(call, "token", &self.user)?, self.auth.or(Some(Auth::Token)))
            }
            Held::Certificate => (Zeroizing::default(), self.auth),
            Held::Asked => (ask(call, &self.user, host)?, self.auth),
        };
        Ok(Credentials { auth, ..Credentials::new(self.user.as_str(), text.as_str()) })
    }

    /// Returns the login in a form that outlives the call. What a procedure returned, or a person
    /// typed, is kept instead of asking again: the interpreter may collect a procedure that only
    /// the connection holds. The other sources are read again at each login.
    pub fn kept(self, credentials: &Credentials) -> Login {
        let text = || Source::Text(Zeroizing::new(credentials.password.reveal().to_owned()));
        let secret = match self.secret {
            Held::Password(Source::Procedure(_)) | Held::Asked => Held::Password(text()),
            Held::Token(Source::Procedure(_)) => Held::Token(text()),
            other => other,
        };
        Login { secret, ..self }
    }

    /// Returns the login in a form in which [`Login::credentials`] calls no procedure of the script and
    /// asks nobody: what these say is looked up now.
    pub fn standing(self, call: &Call<'_>, host: &str) -> Result<Login, Condition> {
        match self.secret {
            Held::Password(Source::Procedure(_))
            | Held::Token(Source::Procedure(_))
            | Held::Asked => {
                let credentials = self.credentials(call, host)?;
                Ok(self.kept(&credentials))
            }
            _ => Ok(self),
        }
    }

    /// Returns the same login with another password or token.
    pub fn with_secret(&self, text: &str) -> Login {
        let text = Source::Text(Zeroizing::new(text.to_owned()));
        let secret = match self.secret {
            Held::Token(_) => Held::Token(text),
            _ => Held::Password(text),
        };
        Login { user: self.user.clone(), secret, auth: self.auth }
    }
}

/// Asks at the terminal, once.
fn ask(call: &Call<'_>, user: &str, host: &str) -> Result<Zeroizing<String>, Condition> {
    let failed =
        |what: &str| Condition::new(Identifier::Authentication, format!("{}: {what}", call.name()));
    let state = state(call);
    let Some(ask) = &state.ask_secret else { return Err(failed("there is no password")) };
    let between = if user.contains('@') { " on " } else { "@" };
    let question =
        format!("Password for {}{between}{}: ", escape_controls(user), escape_controls(host));
    let typed = ask(&question, &|| call.context().interrupted());
    let typed = typed.map_err(|error| failed(&format!("the password cannot be read: {error}")))?;
    let typed =
        typed.filter(|typed| !typed.is_empty()).ok_or_else(|| failed("no password was typed"))?;
    call.context().keep_secret(&typed);
    Ok(typed)
}

/// Checks a secret in the options of an account without looking it up.
pub(super) fn check_source(
    context: &Context,
    function: &str,
    key: &str,
    value: &Value,
) -> Result<(), Condition> {
    Source::read(context, function, key, value).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_it_ends() {
        let line = |bytes: &[u8]| line_of(bytes).map(|line| line.to_string());
        assert_eq!(line(b"sesame\nmore\n"), Some("sesame".into()));
        assert_eq!(line(b"sesame\r\n"), Some("sesame".into()));
        assert_eq!(line(b" two words "), Some(" two words ".into()));
        assert_eq!(line(b""), Some(String::new()));
        assert_eq!(line(b"\xff\n"), None);
        assert_eq!(line(b"gr\xc3\xbcn\n\xff"), Some("grün".into()));
    }
}
