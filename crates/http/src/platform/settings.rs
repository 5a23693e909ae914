//! `/admin/v1/settings`

use claviger_app::{App, Call, settings};
use claviger_domain::settings::Settings;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Envelope, Reply};
use crate::call::{ManageSettings, May};
use crate::extract::{Body, IfMatch, Query};
use crate::fault::Fault;

mod input;
mod view;

use input::SettingsPatch;
use view::SettingsView;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_settings, update_settings))
}

/// Get the settings
///
/// What holds for the whole installation, where an organization does not say otherwise.
#[utoipa::path(
    get, path = "/admin/v1/settings", operation_id = "get_settings", tag = "Settings",
    security(("platform_key" = ["admin:settings"])),
    responses((status = 200, description = "The settings", body = Envelope<SettingsView>)),
)]
async fn get_settings(May(call, _): May<ManageSettings>, query: Query) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(&call, settings::find(&call).await?))
}

/// Update the settings
///
/// Changes the fields that are present, each as a whole; in force at once, in this process and soon in all others.
/// `null` is as if nothing had ever been said.
#[utoipa::path(
    patch, path = "/admin/v1/settings", operation_id = "update_settings", tag = "Settings",
    security(("platform_key" = ["admin:settings"])),
    params(("If-Match" = Option<String>, Header, description = "Change only if the settings still have this `ETag`", example = "\"1\"")),
    request_body = SettingsPatch,
    responses((status = 200, description = "The settings as they are now", body = Envelope<SettingsView>)),
)]
async fn update_settings(
    call: May<ManageSettings>,
    IfMatch(precondition): IfMatch,
    body: Body<SettingsPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    Ok(settings::update(&call, &precondition, patch.try_into()?, |settings| tagged(&call, settings)).await?)
}

fn tagged(call: &Call, settings: Settings) -> Reply {
    let revision = settings.revision;
    wire::one(call, SettingsView::from(settings)).tagged(revision)
}
