//! Secrets: from variables, files and standard input, never from the argument list.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use oauth_core::secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use crate::{failure::Failure, options::Options};

/// No secret is longer, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// All that was given, read before anything is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) password: Option<SecretString>,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) code: Option<SecretString>,
    pub(crate) code_verifier: Option<SecretString>,
    pub(crate) assertion: Option<SecretString>,
    pub(crate) subject_token: Option<SecretString>,
    pub(crate) token: Option<SecretString>,
    pub(crate) private_key: Option<SecretString>,
}

impl Secrets {
    pub(crate) async fn read(options: &Options) -> Result<Self, Failure> {
        if !options.names_secret_files() {
            return Self::read_now(options);
        }
        // A pipe may have nothing to say for a long time: signals and --timeout must still be heard.
        let options = options.clone();
        let read = tokio::task::spawn_blocking(move || Self::read_now(&options)).await;
        read.unwrap_or_else(|_| Err(Failure::usage("the secrets cannot be read")))
    }

    fn read_now(options: &Options) -> Result<Self, Failure> {
        let mut input = Input::default();
        let mut get = |file: &Option<PathBuf>, variable| input.secret(file.as_deref(), variable);
        Ok(Self {
            client_secret: get(&options.client_secret_file, "OAUTH_CLIENT_SECRET")?,
            password: get(&options.password_file, "OAUTH_PASSWORD")?,
            refresh_token: get(&options.refresh_token_file, "OAUTH_REFRESH_TOKEN")?,
            code: get(&options.code_file, "OAUTH_CODE")?,
            code_verifier: get(&options.code_verifier_file, "OAUTH_CODE_VERIFIER")?,
            assertion: get(&options.assertion_file, "OAUTH_ASSERTION")?,
            subject_token: get(&options.subject_token_file, "OAUTH_SUBJECT_TOKEN")?,
            token: get(&options.token_file, "OAUTH_TOKEN")?,
            private_key: get(&options.private_key_file, "OAUTH_PRIVATE_KEY")?,
        })
    }
}

impl Options {
    fn names_secret_files(&self) -> bool {
        let files = [
            &self.client_secret_file,
            &self.password_file,
            &self.refresh_token_file,
            &self.code_file,
            &self.code_verifier_file,
            &self.assertion_file,
            &self.subject_token_file,
            &self.token_file,
            &self.private_key_file,
        ];
        files.into_iter().any(Option::is_some)
    }
}

/// Reads secrets; at most one of them can come from standard input.
#[derive(Debug, Default)]
pub(crate) struct Input {
    taken: bool,
}

impl Input {
    /// The secret in the file, or in the variable.
    pub(crate) fn secret(
        &mut self,
        file: Option<&Path>,
        variable: &str,
    ) -> Result<Option<SecretString>, Failure> {
        let secret = match file {
            Some(path) => Some(self.file(path, variable)?),
            None => from_variable(variable)?,
        };
        if secret
            .as_ref()
            .is_some_and(|it| it.expose_secret().is_empty())
        {
            let place = if file.is_some() {
                "the file"
            } else {
                "the variable"
            };
            return Err(Failure::usage(format!("{place} for {variable} is empty")));
        }
        Ok(secret)
    }

    fn file(&mut self, path: &Path, variable: &str) -> Result<SecretString, Failure> {
        if path != Path::new("-") {
            let text = File::open(path).and_then(text_of);
            return text.map_err(|error| {
                Failure::usage(format!(
                    "the file for {variable}, {}, cannot be read: {error}",
                    path.display()
                ))
            });
        }
        if std::mem::replace(&mut self.taken, true) {
            return Err(Failure::usage(
                "two secrets are to come from standard input; give one of them in a file",
            ));
        }
        text_of(std::io::stdin())
            .map_err(|error| Failure::io("standard input cannot be read", &error))
    }
}

fn from_variable(name: &str) -> Result<Option<SecretString>, Failure> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.into())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(_) => Err(Failure::usage(format!("the variable {name} is not UTF-8"))),
    }
}

/// Without the end of its last line, which an editor puts there.
fn text_of(source: impl Read) -> std::io::Result<SecretString> {
    let mut text = Zeroizing::new(String::new());
    source.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(std::io::Error::other(
            "it is longer than 1 MiB, too long for a secret",
        ));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(line.into())
}
