//! What the server is expected to do, without any of what it does it with.

use super::system::{Answer, Issued, System};
use crate::{Event, Redeemer};

/// Lifetimes in seconds; [`System`] builds its server with them.
pub(crate) const CODE: u64 = 60;
pub(crate) const ACCESS: u64 = 300;
pub(crate) const IDLE: u64 = 600;
pub(crate) const GRANT: u64 = 900;
/// How long a code is remembered past its end; then the server may or may not know it.
const REMEMBERED: u64 = 600;

#[derive(Default)]
pub(crate) struct Model {
    grace: u64,
    now: u64,
    /// Which grants were revoked. Each code begins one.
    revoked: Vec<bool>,
    codes: Vec<Code>,
    access: Vec<Access>,
    refresh: Vec<Refresh>,
}

struct Code {
    text: String,
    end: u64,
    used: bool,
    redeemed: usize,
}

struct Access {
    text: String,
    grant: usize,
    end: u64,
    revoked: bool,
}

struct Refresh {
    text: String,
    grant: usize,
    end: u64,
    grant_end: u64,
    /// When it was used, and the successor it got.
    used: Option<(u64, usize)>,
}

impl Model {
    pub(crate) fn new(grace: u64) -> Self {
        Self {
            grace,
            ..Self::default()
        }
    }

    /// Lets it happen to both, and compares the answers.
    pub(crate) async fn step(&mut self, system: &mut System, event: &Event) {
        match event {
            Event::Authorize => {
                self.codes.push(Code {
                    text: system.authorize().await,
                    end: self.now + CODE,
                    used: false,
                    redeemed: 0,
                });
                self.revoked.push(false);
            }
            Event::Redeem { code, by } if !self.codes.is_empty() => {
                self.redeem(system, code.index(self.codes.len()), *by).await;
            }
            Event::Refresh { token, recent, own } if !self.refresh.is_empty() => {
                let all = self.refresh.len();
                let from = if *recent { all.saturating_sub(3) } else { 0 };
                let index = from + token.index(all - from);
                self.refresh(system, index, *own).await;
            }
            Event::RevokeAccess(token) if !self.access.is_empty() => {
                let index = token.index(self.access.len());
                let token = &mut self.access[index];
                system.revoke(&token.text).await;
                token.revoked = true;
            }
            Event::RevokeRefresh(token) if !self.refresh.is_empty() => {
                let token = &self.refresh[token.index(self.refresh.len())];
                if self.now < token.grant_end {
                    system.revoke(&token.text).await;
                    self.revoked[token.grant] = true;
                }
            }
            Event::Advance(seconds) => {
                self.now += seconds;
                system.advance(*seconds);
            }
            Event::Purge(limit) => system.purge(*limit).await,
            Event::Crash => system.crash().await,
            _ => {}
        }
    }

    /// Everything that was ever issued is active exactly when the model says so.
    pub(crate) async fn check(&self, system: &System) {
        for token in &self.access {
            let live = !self.revoked[token.grant] && !token.revoked && self.now < token.end;
            assert_eq!(system.is_active(&token.text).await, live, "an access token");
        }
        let mut live_of = vec![0; self.revoked.len()];
        for token in &self.refresh {
            let active = system.is_active(&token.text).await;
            assert_eq!(active, self.is_live(token), "a refresh token");
            live_of[token.grant] += usize::from(active);
        }
        assert!(
            live_of.iter().all(|live| *live <= 1),
            "one of each family: {live_of:?}"
        );
        let redeemed = self.codes.iter().map(|code| code.redeemed);
        assert!(
            redeemed.max().unwrap_or_default() <= 1,
            "a code is good once"
        );
    }

    fn is_live(&self, token: &Refresh) -> bool {
        !self.revoked[token.grant] && token.used.is_none() && self.now < token.end
    }

    async fn redeem(&mut self, system: &System, index: usize, by: Redeemer) {
        let code = &mut self.codes[index];
        if self.now >= code.end + REMEMBERED {
            return;
        }
        let answer = system.redeem(&code.text, by).await;
        let fits = by != Redeemer::Stranger;
        let known = fits && (code.used || self.now < code.end);
        let good = known && !code.used && by == Redeemer::Client;
        assert_eq!(answer.is_some(), good, "a code");
        if known && code.used {
            self.revoked[index] = true;
        }
        code.used |= known;
        code.redeemed += usize::from(good);
        if let Some(issued) = answer {
            self.learn(index, self.now + GRANT, issued);
        }
    }

    async fn refresh(&mut self, system: &System, index: usize, own: bool) {
        let token = &self.refresh[index];
        let (grant, grant_end) = (token.grant, token.grant_end);
        if self.now >= grant_end {
            return;
        }
        let answer: Answer = system.refresh(&token.text, own).await;
        let known = own && !self.revoked[grant];
        if !known {
            assert!(answer.is_none(), "of nobody's grant");
            return;
        }
        let Some((when, successor)) = token.used else {
            assert_eq!(answer.is_some(), self.is_live(token), "a refresh token");
            if let Some(issued) = answer {
                self.refresh[index].used = Some((self.now, self.refresh.len()));
                self.learn(grant, grant_end, issued);
            }
            return;
        };
        let again = self.now < when + self.grace && self.is_live(&self.refresh[successor]);
        assert_eq!(answer.is_some(), again, "a used refresh token");
        match answer {
            Some(Issued { access, refresh }) => {
                assert_eq!(refresh, self.refresh[successor].text, "no branch");
                self.learn_access(grant, access);
            }
            None => self.revoked[grant] = true,
        }
    }

    fn learn(&mut self, grant: usize, grant_end: u64, issued: Issued) {
        self.learn_access(grant, issued.access);
        self.refresh.push(Refresh {
            text: issued.refresh,
            grant,
            end: grant_end.min(self.now + IDLE),
            grant_end,
            used: None,
        });
    }

    fn learn_access(&mut self, grant: usize, text: String) {
        self.access.push(Access {
            text,
            grant,
            end: self.now + ACCESS,
            revoked: false,
        });
    }
}
