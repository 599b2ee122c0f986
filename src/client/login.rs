//! From a host name to an authenticated session: greeting, TLS policy, login (RFC 9051 6.2).
//!
//! 1. The arguments are checked before a byte is sent.
//! 2. The greeting is read. PREAUTH means that no login is needed.
//! 3. STARTTLS is done if `options` requires it. Capabilities and warnings from before TLS are
//!    discarded.
//! 4. The login uses the strongest mechanism that the server offers, or the one that the
//!    credentials name.
//! 5. The connection is compressed if the options say so. If the server offers them, it is told who
//!    we are (ID), and UTF-8 and IMAP4rev2 are enabled; the hierarchy separator is requested. The
//!    answers to these three are not waited for.
//!
//! If TLS is required, only CAPABILITY, STARTTLS and LOGOUT are sent before it. A server that
//! breaks a rule is not sent another byte.

use super::error::Error;
use super::imap::ImapClient;
use super::options::{Compress, ConnectOptions, Credentials, Ports};
use super::pending::Nothing;
use crate::proto::imap::{Command, Event, Session, StatusKind};
use crate::proto::sasl::Exchange;
use crate::transport::Connector;

impl ImapClient {
    /// Connects, encrypts as the options say, and logs in.
    ///
    /// # Errors
    /// [`Error::Insecure`] if the password would leave this machine unencrypted and
    /// [`super::TlsMode::None`] was not given; [`Error::Unsupported`] if the server does not offer
    /// the requested way to log in; [`Error::Authentication`], [`Error::Transport`],
    /// [`Error::Protocol`] and [`Error::Bye`]. The connection is then closed.
    pub fn connect(
        connector: &Connector,
        host: &str,
        credentials: &Credentials,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        let session = Session::new(options.limits.clone());
        ImapClient::log_in_with(session, connector, host, credentials, options)
    }

    /// Does the work of [`ImapClient::connect`] with a session that has not begun.
    pub(super) fn log_in_with(
        session: Session,
        connector: &Connector,
        host: &str,
        credentials: &Credentials,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        credentials.check()?; // before a byte is sent
        let login = Command::login(&credentials.user, &credentials.password)?;
        options.id.as_deref().map(Command::id).transpose()?;
        let way = options.way(Ports { plain: 143, implicit_tls: 993 });
        let mut connection = way.open(connector, host, options, session)?;
        credentials.tell(&mut connection);
        let mut client = ImapClient::over(connection);
        client.quarantine = connector.quarantine.clone();
        let authenticated = client.greeting()?;
        if way.wants_starttls(client.connection()) {
            client.start_tls(authenticated)?;
        }
        if !authenticated {
            client.log_in(login, credentials)?;
        }
        client.know_capabilities()?;
        if let Some(own) = &options.id {
            client.introduce(own)?;
        }
        client.compress_if(options.compress)?;
        client.ask_separator()?;
        if options.utf8 {
            client.enable_utf8()?;
        }
        Ok(client)
    }

    /// Enables what lets text travel as UTF-8: UTF8=ACCEPT (RFC 6855) and IMAP4rev2 (RFC 9051), as
    /// far as the server offers them. The next command waits for the answer.
    fn enable_utf8(&mut self) -> Result<(), Error> {
        let offers = |name| self.capabilities().offers(name);
        if !offers("ENABLE") {
            return Ok(());
        }
        let is_dual = offers("IMAP4rev1") && offers("IMAP4rev2");
        let accepts = offers("UTF8=ACCEPT") || offers("UTF8=ONLY");
        let wanted = [(is_dual, "IMAP4rev2"), (accepts, "UTF8=ACCEPT")];
        let wanted: Vec<_> =
            wanted.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
        if !wanted.is_empty() {
            let sent = self.begin([Command::enable(&wanted)], Nothing)?;
            self.forget(sent);
        }
        Ok(())
    }

    fn compress_if(&mut self, compress: Compress) -> Result<(), Error> {
        let offered = self.capabilities().has("COMPRESS=DEFLATE");
        match compress {
            Compress::Auto if offered && !self.connection().is_local() => match self.compress() {
                // TLS compresses already, or the server is short of memory.
                Err(Error::Refused { .. }) => Ok(()),
                result => result,
            },
            Compress::Auto | Compress::Never => Ok(()),
            Compress::Always => self.compress(),
        }
    }

    /// COMPRESS DEFLATE (RFC 4978): compresses the connection in both directions. Only after the
    /// login, so that no secret is compressed together with what others may choose (CRIME).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer it; [`Error::Refused`] if the connection
    /// is compressed already.
    pub fn compress(&mut self) -> Result<(), Error> {
        if !self.capabilities().has("COMPRESS=DEFLATE") {
            return Err(Error::Unsupported("the server does not offer COMPRESS=DEFLATE".into()));
        }
        self.run(Command::compress()?)?;
        self.connection().start_compression();
        Ok(())
    }

    /// Reads the greeting. Returns whether the session is authenticated already (PREAUTH).
    fn greeting(&mut self) -> Result<bool, Error> {
        self.connection().wait()?;
        let (kind, words) = match self.connection().session().current_event()? {
            Event::Greeting(status) => {
                (status.kind, String::from_utf8_lossy(status.text).into_owned())
            }
            _ => return Err(Error::Unexpected("something else than a greeting came first".into())),
        };
        match kind {
            StatusKind::Ok => Ok(false),
            StatusKind::PreAuth => Ok(true),
            _ => {
                self.connection().close();
                Err(Error::Bye { words })
            }
        }
    }

    /// STARTTLS. A server that does not offer it, refuses it, or has sent PREAUTH is given up.
    fn start_tls(&mut self, authenticated: bool) -> Result<(), Error> {
        if authenticated {
            return Err(self.give_up("the server says that we are logged in before TLS, so that STARTTLS cannot be used any more"));
        }
        self.know_capabilities()?;
        if !self.capabilities().has("STARTTLS") {
            return Err(self.give_up("the server offers no STARTTLS, and the password would travel in the clear; give :tls :none to allow that, or :tls :implicit for port 993"));
        }
        match self.run(Command::starttls()) {
            Ok(_) => self.connection().start_tls()?,
            Err(Error::Refused { completion, .. }) => {
                return Err(
                    self.give_up(&format!("the server refused STARTTLS: {}", completion.words()))
                );
            }
            Err(error) => return Err(error),
        }
        self.forget_warnings();
        self.know_capabilities()
    }

    /// Logs in by SASL if a mechanism is chosen, otherwise by LOGIN.
    fn log_in(&mut self, login: Command, credentials: &Credentials) -> Result<(), Error> {
        self.know_capabilities()?;
        let capabilities = self.capabilities().clone();
        let mechanism = credentials
            .mechanism(|name| capabilities.has(&format!("AUTH={name}")))
            .inspect_err(|_| self.connection().close())?;
        let result = match mechanism {
            Some(mechanism) => {
                let mut exchange =
                    Exchange::new(mechanism, &credentials.user, &credentials.password)?;
                self.authenticate(&mut exchange, capabilities.has("SASL-IR"))
            }
            None if capabilities.has("LOGINDISABLED") => {
                return Err(
                    self.give_up("the server takes no password on this connection (LOGINDISABLED)")
                );
            }
            None => self.run(login).map(drop),
        };
        match result {
            Err(Error::Refused { completion, .. }) => {
                let words = self.connection().redact(&completion.words());
                self.connection().close();
                Err(Error::Authentication { user: credentials.user.clone(), words })
            }
            other => other,
        }
    }

    /// Asks for the capabilities unless the server has sent them.
    fn know_capabilities(&mut self) -> Result<(), Error> {
        if self.capabilities().is_empty() {
            self.run(Command::capability())?;
        }
        Ok(())
    }

    /// Closes the connection because the server cannot be trusted with the password.
    fn give_up(&mut self, why: &str) -> Error {
        self.connection().close(); // nothing more is sent to a server that is not trusted
        Error::Insecure(why.to_owned())
    }
}
