//! Every scope of Twitch by name, and a way to pass one that came later.
//!
//! ```
//! use twitch::{Scope, oauth_core::Scopes};
//!
//! let scopes = Scopes::new([Scope::ChatRead, Scope::ChatEdit, "brand:new:scope".into()])?;
//! assert_eq!(scopes.to_string(), "brand:new:scope chat:edit chat:read");
//! # Ok::<(), twitch::oauth_core::Error>(())
//! ```

use std::{convert::Infallible, fmt, str::FromStr};

macro_rules! scopes {
    (
        active { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }
        deprecated { $($(#[$old_doc:meta])* $old:ident = $old_text:literal,)* }
    ) => {
        /// A scope of Twitch, as <https://dev.twitch.tv/docs/authentication/scopes/> lists them.
        ///
        /// It goes into [`Scopes::new`](oauth_core::Scopes::new), which is where another text's
        /// characters are checked.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Scope {
            $($(#[$doc])* #[doc = concat!("\n\n`", $text, "`")] $variant,)*
            $($(#[$old_doc])* #[doc = concat!("\n\n`", $old_text, "`, deprecated")] $old,)*
            /// A scope that this list does not have.
            Other(Box<str>),
        }

        impl Scope {
            /// Every scope of the list, the deprecated ones last.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)* $(Self::$old,)*];

            /// The scope as requests and answers write it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    $(Self::$old => $old_text,)*
                    Self::Other(text) => text,
                }
            }

            /// Whether Twitch has replaced it.
            #[must_use]
            pub fn is_deprecated(&self) -> bool {
                matches!(self, $(Self::$old)|*)
            }
        }

        impl From<&str> for Scope {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    $($old_text => Self::$old,)*
                    other => Self::Other(other.into()),
                }
            }
        }
    };
}

scopes! {
    active {
        /// View analytics data for the Twitch Extensions owned by the authenticated account.
        AnalyticsReadExtensions = "analytics:read:extensions",
        /// View analytics data for the games owned by the authenticated account.
        AnalyticsReadGames = "analytics:read:games",
        /// View Bits information for a channel.
        BitsRead = "bits:read",
        /// Joins your channel's chatroom as a bot user, and perform chat-related actions as that user.
        ChannelBot = "channel:bot",
        /// Run commercials on a channel.
        ChannelEditCommercial = "channel:edit:commercial",
        /// Manage ads schedule on a channel.
        ChannelManageAds = "channel:manage:ads",
        /// Manage a channel's broadcast configuration, including updating channel configuration and managing stream markers and stream tags.
        ChannelManageBroadcast = "channel:manage:broadcast",
        /// Manage Clips for a channel.
        ChannelManageClips = "channel:manage:clips",
        /// Manage a channel's Extension configuration, including activating Extensions.
        ChannelManageExtensions = "channel:manage:extensions",
        /// Manage Guest Star for your channel.
        ChannelManageGuestStar = "channel:manage:guest_star",
        /// Add or remove the moderator role from users in your channel.
        ChannelManageModerators = "channel:manage:moderators",
        /// Manage a channel's polls.
        ChannelManagePolls = "channel:manage:polls",
        /// Manage a channel's Channel Points Predictions.
        ChannelManagePredictions = "channel:manage:predictions",
        /// Manage a channel raiding another channel.
        ChannelManageRaids = "channel:manage:raids",
        /// Manage Channel Points custom rewards and their redemptions on a channel.
        ChannelManageRedemptions = "channel:manage:redemptions",
        /// Manage a channel's stream schedule.
        ChannelManageSchedule = "channel:manage:schedule",
        /// Manage a channel's videos, including deleting videos.
        ChannelManageVideos = "channel:manage:videos",
        /// Add or remove the VIP role from users in your channel.
        ChannelManageVips = "channel:manage:vips",
        /// Perform moderation actions in a channel.
        ChannelModerate = "channel:moderate",
        /// Read the ads schedule and details on your channel.
        ChannelReadAds = "channel:read:ads",
        /// Read charity campaign details and user donations on your channel.
        ChannelReadCharity = "channel:read:charity",
        /// View a list of users with the editor role for a channel.
        ChannelReadEditors = "channel:read:editors",
        /// View Creator Goals for a channel.
        ChannelReadGoals = "channel:read:goals",
        /// Read Guest Star details for your channel.
        ChannelReadGuestStar = "channel:read:guest_star",
        /// View Hype Train information for a channel.
        ChannelReadHypeTrain = "channel:read:hype_train",
        /// View a channel's polls.
        ChannelReadPolls = "channel:read:polls",
        /// View a channel's Channel Points Predictions.
        ChannelReadPredictions = "channel:read:predictions",
        /// View Channel Points custom rewards and their redemptions on a channel.
        ChannelReadRedemptions = "channel:read:redemptions",
        /// View an authorized user's stream key.
        ChannelReadStreamKey = "channel:read:stream_key",
        /// View a list of all subscribers to a channel and check if a user is subscribed to a channel.
        ChannelReadSubscriptions = "channel:read:subscriptions",
        /// Read the list of VIPs in your channel.
        ChannelReadVips = "channel:read:vips",
        /// Send chat messages to a chatroom using an IRC connection.
        ChatEdit = "chat:edit",
        /// View chat messages sent in a chatroom using an IRC connection.
        ChatRead = "chat:read",
        /// Manage Clips for a channel.
        ClipsEdit = "clips:edit",
        /// Manage Clips as an editor.
        EditorManageClips = "editor:manage:clips",
        /// View a channel's moderation data including Moderators, Bans, Timeouts, and Automod settings.
        ModerationRead = "moderation:read",
        /// Send announcements in channels where you have the moderator role.
        ModeratorManageAnnouncements = "moderator:manage:announcements",
        /// Manage messages held for review by AutoMod in channels where you are a moderator.
        ModeratorManageAutomod = "moderator:manage:automod",
        /// Manage a broadcaster's AutoMod settings.
        ModeratorManageAutomodSettings = "moderator:manage:automod_settings",
        /// Ban and unban users.
        ModeratorManageBannedUsers = "moderator:manage:banned_users",
        /// Manage a broadcaster's list of blocked terms.
        ModeratorManageBlockedTerms = "moderator:manage:blocked_terms",
        /// Delete chat messages in channels where you have the moderator role.
        ModeratorManageChatMessages = "moderator:manage:chat_messages",
        /// Manage a broadcaster's chat room settings.
        ModeratorManageChatSettings = "moderator:manage:chat_settings",
        /// Manage Guest Star for channels where you are a Guest Star moderator.
        ModeratorManageGuestStar = "moderator:manage:guest_star",
        /// Manage a broadcaster's Shield Mode status.
        ModeratorManageShieldMode = "moderator:manage:shield_mode",
        /// Manage a broadcaster's shoutouts.
        ModeratorManageShoutouts = "moderator:manage:shoutouts",
        /// Manage suspicious user statuses in channels where the user has the moderator role.
        ModeratorManageSuspiciousUsers = "moderator:manage:suspicious_users",
        /// Manage a broadcaster's unban requests.
        ModeratorManageUnbanRequests = "moderator:manage:unban_requests",
        /// Warn users in channels where you have the moderator role.
        ModeratorManageWarnings = "moderator:manage:warnings",
        /// View a broadcaster's AutoMod settings.
        ModeratorReadAutomodSettings = "moderator:read:automod_settings",
        /// Read the list of bans or unbans in channels where you have the moderator role.
        ModeratorReadBannedUsers = "moderator:read:banned_users",
        /// View a broadcaster's list of blocked terms.
        ModeratorReadBlockedTerms = "moderator:read:blocked_terms",
        /// Read deleted chat messages in channels where you have the moderator role.
        ModeratorReadChatMessages = "moderator:read:chat_messages",
        /// View a broadcaster's chat room settings.
        ModeratorReadChatSettings = "moderator:read:chat_settings",
        /// View the chatters in a broadcaster's chat room.
        ModeratorReadChatters = "moderator:read:chatters",
        /// Read the followers of a broadcaster.
        ModeratorReadFollowers = "moderator:read:followers",
        /// Read Guest Star details for channels where you are a Guest Star moderator.
        ModeratorReadGuestStar = "moderator:read:guest_star",
        /// Read the list of moderators in channels where you have the moderator role.
        ModeratorReadModerators = "moderator:read:moderators",
        /// View a broadcaster's Shield Mode status.
        ModeratorReadShieldMode = "moderator:read:shield_mode",
        /// View a broadcaster's shoutouts.
        ModeratorReadShoutouts = "moderator:read:shoutouts",
        /// Read chat messages from suspicious users and see users flagged as suspicious in channels where the user has the moderator role.
        ModeratorReadSuspiciousUsers = "moderator:read:suspicious_users",
        /// View a broadcaster's unban requests.
        ModeratorReadUnbanRequests = "moderator:read:unban_requests",
        /// Read the list of VIPs in channels where you have the moderator role.
        ModeratorReadVips = "moderator:read:vips",
        /// Read warnings in channels where you have the moderator role.
        ModeratorReadWarnings = "moderator:read:warnings",
        /// Join a specified chat channel as your user and appear as a bot, and perform chat-related actions as your user.
        UserBot = "user:bot",
        /// Manage a user object.
        UserEdit = "user:edit",
        /// View and edit a user's broadcasting configuration, including Extension configurations.
        UserEditBroadcast = "user:edit:broadcast",
        /// Manage the block list of a user.
        UserManageBlockedUsers = "user:manage:blocked_users",
        /// Update the color used for the user's name in chat.
        UserManageChatColor = "user:manage:chat_color",
        /// Receive whispers sent to your user, and send whispers on your user's behalf.
        UserManageWhispers = "user:manage:whispers",
        /// View the block list of a user.
        UserReadBlockedUsers = "user:read:blocked_users",
        /// View a user's broadcasting configuration, including Extension configurations.
        UserReadBroadcast = "user:read:broadcast",
        /// Receive chatroom messages and informational notifications relating to a channel's chatroom.
        UserReadChat = "user:read:chat",
        /// View a user's email address.
        UserReadEmail = "user:read:email",
        /// View emotes available to a user.
        UserReadEmotes = "user:read:emotes",
        /// View the list of channels a user follows.
        UserReadFollows = "user:read:follows",
        /// Read the list of channels you have moderator privileges in.
        UserReadModeratedChannels = "user:read:moderated_channels",
        /// View if an authorized user is subscribed to specific channels.
        UserReadSubscriptions = "user:read:subscriptions",
        /// Receive whispers sent to your user.
        UserReadWhispers = "user:read:whispers",
        /// Send chat messages to a chatroom.
        UserWriteChat = "user:write:chat",
        /// Receive whisper messages for your user using PubSub.
        WhispersRead = "whispers:read",
        /// Sign the user in with OpenID Connect: an ID token and the userinfo endpoint.
        OpenId = "openid",
    }
    deprecated {
        /// Read all subscribers to your channel.
        ChannelSubscriptions = "channel_subscriptions",
        /// Was used for the endpoints that created and deleted follows.
        UserEditFollows = "user:edit:follows",
        /// Send whisper messages.
        WhispersEdit = "whispers:edit",
    }
}

impl FromStr for Scope {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use oauth_core::Scopes;

    use super::*;

    #[test]
    fn every_scope_is_there_once_and_comes_back_from_its_text() {
        let texts: HashSet<_> = Scope::ALL.iter().map(Scope::as_str).collect();
        assert_eq!(
            (Scope::ALL.len(), texts.len()),
            (85, 85),
            "81 of the API, openid, 3 deprecated"
        );
        assert_eq!(
            Scope::ALL
                .iter()
                .filter(|scope| scope.is_deprecated())
                .count(),
            3
        );
        for scope in Scope::ALL {
            assert_eq!(&scope.as_str().parse::<Scope>().unwrap(), scope);
            assert!(!matches!(scope, Scope::Other(_)));
        }
        assert!(Scopes::new(Scope::ALL).is_ok());
    }

    #[test]
    fn another_text_is_kept_and_checked_where_scopes_are_put_together() {
        let new = Scope::from("brand:new:scope");
        assert_eq!(new, Scope::Other("brand:new:scope".into()));
        assert!(!new.is_deprecated());
        assert!(Scopes::new([Scope::ChatRead, Scope::from("two words")]).is_err());
    }
}
