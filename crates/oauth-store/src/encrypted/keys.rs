//! The keys that records are sealed with.

use std::{fmt, io::Read, path::Path, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use oauth_core::{
    random::{OsRandom, Random},
    store::{StoreError, StoreErrorKind},
};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use zeroize::{Zeroize, Zeroizing};

/// How long a key is, in bytes.
const LENGTH: usize = 32;
/// No list of keys is longer, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A secret of 256 bits, and the name that is kept beside what it has sealed.
#[derive(Clone)]
pub struct Key {
    id: Arc<str>,
    secret: Arc<SecretBox<[u8; LENGTH]>>,
}

/// Several keys: the first seals, all of them open.
#[derive(Clone)]
pub struct Keys {
    keys: Vec<Key>,
    plaintext: bool,
    random: Arc<dyn Random>,
}

impl Key {
    /// A new key of this name.
    ///
    /// # Errors
    /// When the name is empty or holds blanks, `:` or `#`, or no randomness is to be had.
    pub fn generate(id: &str, random: &dyn Random) -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        random.fill(&mut *bytes).map_err(|_| {
            StoreError::new(
                StoreErrorKind::Unavailable,
                "there is no randomness for a key",
            )
        })?;
        Self::new(id, &bytes)
    }

    /// The key of this name with these bytes, which must be random: a password is no key.
    ///
    /// # Errors
    /// When the name is empty or holds blanks, `:` or `#`.
    pub fn new(id: &str, bytes: &[u8; LENGTH]) -> Result<Self, StoreError> {
        let free = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ':' | '#');
        if id.is_empty() || !id.chars().all(free) {
            return Err(wrong(
                "a key's name must not be empty, nor hold blanks, ':' or '#'",
            ));
        }
        Ok(Self {
            id: id.into(),
            secret: Arc::new(SecretBox::init_with_mut(|secret: &mut [u8; LENGTH]| {
                secret.copy_from_slice(bytes);
            })),
        })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as a line of a key file: `name:` and its bytes in Base64 (RFC 4648 §4).
    #[must_use]
    pub fn to_line(&self) -> SecretString {
        let bytes = Zeroizing::new(BASE64_STANDARD.encode(self.secret.expose_secret()));
        format!("{}:{}", self.id, *bytes).into()
    }

    pub(super) fn secret(&self) -> &SecretBox<[u8; LENGTH]> {
        &self.secret
    }

    fn from_line(line: &str) -> Result<Self, StoreError> {
        let (id, encoded) = line
            .split_once(':')
            .ok_or_else(|| wrong("each line of the keys must be name:base64"))?;
        let mut bytes = Zeroizing::new([0_u8; LENGTH + 2]);
        let length = BASE64_STANDARD
            .decode_slice(encoded.trim(), &mut *bytes)
            .map_err(|_| wrong("a key must be 32 bytes in Base64"))?;
        match bytes[..length].try_into() {
            Ok(bytes) => {
                let bytes: Zeroizing<[u8; LENGTH]> = Zeroizing::new(bytes);
                Self::new(id.trim(), &bytes)
            }
            Err(_) => Err(wrong("a key must be 32 bytes in Base64")),
        }
    }
}

impl Keys {
    /// This key alone.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self {
            keys: vec![key],
            plaintext: false,
            random: Arc::new(OsRandom),
        }
    }

    /// With a further key, that opens what it once sealed.
    ///
    /// # Errors
    /// When there is a key of that name already.
    pub fn and(mut self, key: Key) -> Result<Self, StoreError> {
        if self.find(&key.id).is_some() {
            return Err(wrong("two keys have one name"));
        }
        self.keys.push(key);
        Ok(self)
    }

    /// Opens records in clear, too: for a store that was kept in clear so far, until
    /// [`Encrypted::rotate`](crate::Encrypted::rotate) has sealed them. Until then, whoever can
    /// write in the database can put tokens of their own there.
    #[must_use]
    pub fn and_plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Takes nonces from here.
    #[must_use]
    pub fn with_random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The keys in `text`, one a line as [`Key::to_line`] writes them, the first one first. Empty
    /// lines and those that begin with `#` mean nothing.
    ///
    /// # Errors
    /// When a line is no key, there is none, or two have one name. The text is not repeated.
    pub fn parse(text: &SecretString) -> Result<Self, StoreError> {
        let lines = text.expose_secret().lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next().ok_or_else(|| wrong("there is no key"))?;
        lines.try_fold(Self::new(Key::from_line(first)?), |keys, line| {
            keys.and(Key::from_line(line)?)
        })
    }

    /// The keys in the file at `path`, as for [`Keys::parse`].
    ///
    /// # Errors
    /// When the file cannot be read, others have rights to it (mode 0600 or 0400 is what it must
    /// have), it belongs to somebody else than this user or root, or it holds something else.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let text = read(path).map_err(|error| {
            let message = format!(
                "the keys of the token store cannot be read from {}",
                path.display()
            );
            StoreError::new(StoreErrorKind::Configuration, message).with_source(error)
        })?;
        Self::parse(&text)
    }

    /// The keys in the environment variable `name`, as for [`Keys::parse`].
    ///
    /// # Errors
    /// When it is not set, or holds something else.
    pub fn from_env(name: &str) -> Result<Self, StoreError> {
        let text = std::env::var(name).map_err(|_| {
            let message = format!(
                "the environment variable {name}, for the keys of the token store, is not set"
            );
            StoreError::new(StoreErrorKind::Configuration, message)
        })?;
        Self::parse(&text.into())
    }

    pub(super) fn first(&self) -> &Key {
        // `new` puts one there, and nothing takes any away.
        &self.keys[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| &*key.id == id)
    }

    pub(super) fn is_newest(&self, id: Option<&str>) -> bool {
        id == Some(self.first().id())
    }

    pub(super) fn opens_plaintext(&self) -> bool {
        self.plaintext
    }

    pub(super) fn random(&self) -> &dyn Random {
        &*self.random
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.id)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("keys", &self.keys)
            .field("plaintext", &self.plaintext)
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> std::io::Result<SecretString> {
    let mut file = open(path)?;
    // As long as it can be, so that the text is not left behind where it grew from.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize));
    Read::by_ref(&mut file)
        .take(LONGEST)
        .read_to_string(&mut text)?;
    let secret = SecretString::from(text.as_str());
    text.zeroize();
    Ok(secret)
}

#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    let refuse = |why| {
        Err(std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            why,
        ))
    };
    // A FIFO must not keep us waiting.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return refuse("it is no regular file");
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() && metadata.uid() != 0 {
        return refuse("it belongs to another user");
    }
    if metadata.mode() & 0o077 != 0 {
        return refuse("others have rights to it: chmod 600");
    }
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(path)
}

fn wrong(message: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Configuration, message)
}
