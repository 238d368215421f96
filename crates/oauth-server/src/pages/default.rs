//! The pages of this crate, from the files in `templates`.

use askama::Template;

use super::{
    ConsentPage, DeviceConfirmPage, DeviceDonePage, DevicePage, ErrorPage, LoginPage, LogoutPage,
    Pages,
};

/// The pages of this crate: plain HTML in English, readable on a phone and by a screen reader,
/// light or dark as the person's system is.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultPages;

macro_rules! templates {
    ($($method:ident: $view:ident($page:ident) = $path:tt;)*) => {
        $(
            #[derive(Template)]
            #[template(path = $path)]
            struct $view<'a> {
                page: &'a $page,
            }
        )*

        impl Pages for DefaultPages {
            $(
                fn $method(&self, page: &$page) -> String {
                    // Into a string nothing fails.
                    $view { page }.render().unwrap_or_default()
                }
            )*
        }
    };
}

templates! {
    login: Login(LoginPage) = "login.html";
    consent: Consent(ConsentPage) = "consent.html";
    device: Device(DevicePage) = "device.html";
    device_confirm: DeviceConfirm(DeviceConfirmPage) = "device_confirm.html";
    device_done: DeviceDone(DeviceDonePage) = "device_done.html";
    logout: Logout(LogoutPage) = "logout.html";
    error: Error(ErrorPage) = "error.html";
}
