//! JSON of the objects, with every field that PlanetScale's description requires.

use serde_json::{Value, json};

use super::{DATABASE, DeployRequest, State, Webhook};

/// States after which nothing is left to compute.
const DONE: [&str; 4] = ["complete", "complete_pending_revert", "complete_revert", "in_progress_revert"];

fn actor() -> Value {
    json!({ "id": "a1", "display_name": "ann", "avatar_url": "https://example.com/a1.png" })
}

pub(super) fn deploy_request(state: &State, request: &DeployRequest) -> Value {
    let at = request.updated_at.to_string();
    json!({
        "id": format!("dr{}", request.number),
        "number": request.number,
        "actor": actor(),
        "closed_by": null,
        "branch": request.branch,
        "branch_id": "b1",
        "branch_deleted": false,
        "branch_deleted_by": null,
        "branch_deleted_at": null,
        "into_branch": request.into,
        "into_branch_sharded": false,
        "into_branch_shard_count": 0,
        "into_branch_keyspace_count": 1,
        "approved": request.approved,
        "state": if request.closed { "closed" } else { "open" },
        "deployment_state": request.state,
        "deployment": deployment(state, request),
        "num_comments": 0,
        "html_url": format!("https://app.planetscale.com/acme/{DATABASE}/deploy-requests/{}", request.number),
        "notes": request.notes,
        "html_body": "",
        "created_at": at,
        "updated_at": at,
        "closed_at": null,
        "deployed_at": null,
    })
}

fn deployment(state: &State, request: &DeployRequest) -> Value {
    let at = request.updated_at.to_string();
    let operations: Vec<Value> = (request.statements.iter().enumerate())
        .map(|(nth, (ddl, drops))| {
            json!({
                "id": format!("o{nth}"),
                "state": if DONE.contains(&request.state.as_str()) { "complete" } else { "pending" },
                "keyspace_name": "shop",
                "table_name": "orders",
                "operation_name": "ALTER",
                "eta_seconds": null,
                "progress_percentage": null,
                "deploy_error_docs_url": null,
                "ddl_statement": ddl,
                "syntax_highlighted_ddl": ddl,
                "created_at": at,
                "updated_at": at,
                "throttled_at": null,
                "can_drop_data": drops,
                "table_locked": false,
                "table_recently_used": false,
                "table_recently_used_at": null,
                "removed_foreign_key_names": [],
                "deploy_errors": null,
            })
        })
        .collect();
    let lint: Vec<Value> =
        request.lint.iter().map(|code| json!({ "lint_error": code, "table_name": "orders" })).collect();
    let revert = request.revertible_until.map(|until| json!({ "waiting_period_end_at": until.to_string() }));
    let deployable = request.state == "ready" && request.lint.is_empty() && (request.approved || !state.needs_approval);
    json!({
        "id": format!("d{}", request.number),
        "auto_cutover": !request.gated,
        "auto_delete_branch": false,
        "created_at": at,
        "cutover_at": null,
        "cutover_expiring": false,
        "deploy_check_errors": null,
        "finished_at": null,
        "force_cutover_requested_at": null,
        "queued_at": null,
        "ready_to_cutover_at": null,
        "started_at": null,
        "state": request.state,
        "submitted_at": null,
        "updated_at": at,
        "into_branch": request.into,
        "deploy_request_number": request.number,
        "deployable": deployable,
        "preceding_deployments": [],
        "deploy_operations": operations,
        "deploy_operation_summaries": [],
        "lint_errors": lint,
        "sequential_diff_dependencies": [],
        "lookup_vindex_operations": [],
        "throttler_configurations": null,
        "deployment_revert_request": revert,
        "actor": actor(),
        "cutover_actor": null,
        "cancelled_actor": null,
        "schema_last_updated_at": "2026-01-05T09:00:00Z",
        "table_locked": false,
        "locked_table_name": null,
        "instant_ddl": false,
        "instant_ddl_eligible": false,
        "queue_paused": request.paused.is_some(),
        "queue_pause_reason": request.paused,
    })
}

pub(super) fn database(state: &State) -> Value {
    let at = state.clock.now().to_string();
    let mut database = json!({
        "id": "db1",
        "url": "https://api.planetscale.com/v1/organizations/acme/databases/shop",
        "branches_url": "https://api.planetscale.com/v1/organizations/acme/databases/shop/branches",
        "branches_count": 2,
        "open_schema_recommendations_count": 0,
        "development_branches_count": 1,
        "production_branches_count": 1,
        "issues_count": 0,
        "multiple_admins_required_for_deletion": false,
        "ready": true,
        "at_backup_restore_branches_limit": false,
        "at_development_branch_usage_limit": false,
        "data_import": null,
        "region": {
            "id": "r1", "provider": "AWS", "enabled": true, "public_ip_addresses": [], "display_name": "AWS us-east-1",
            "location": "N. Virginia", "slug": "us-east", "current_default": true, "mysql_supported": true,
            "postgresql_supported": true,
        },
    });
    let settings = json!({
        "html_url": "https://app.planetscale.com/acme/shop",
        "name": DATABASE,
        "state": "ready",
        "sharded": false,
        "default_branch_shard_count": 0,
        "default_branch_read_only_regions_count": 0,
        "default_branch_table_count": 1,
        "default_branch": "main",
        "require_approval_for_deploy": state.needs_approval,
        "deletion_protected": false,
        "resizing": false,
        "resize_queued": false,
        "config_changing": false,
        "config_change_queued": false,
        "allow_data_branching": false,
        "foreign_keys_enabled": false,
        "automatic_migrations": null,
        "restrict_branch_region": false,
        "insights_raw_queries": false,
        "plan": "scaler_pro",
        "insights_enabled": true,
        "production_branch_web_console": false,
        "migration_table_name": null,
        "migration_framework": null,
        "created_at": at,
        "updated_at": at,
        "schema_last_updated_at": null,
        "kind": state.kind,
    });
    if let (Some(database), Value::Object(settings)) = (database.as_object_mut(), settings) {
        database.extend(settings);
    }
    database
}

pub(super) fn webhook(state: &State, nth: usize, webhook: &Webhook) -> Value {
    let at = state.clock.now().to_string();
    json!({
        "id": format!("w{nth}"),
        "url": webhook.url,
        "secret": "a webhook's secret",
        "enabled": webhook.enabled,
        "last_sent_result": if webhook.last_sent_success { "200" } else { "timeout" },
        "last_sent_success": webhook.last_sent_success,
        "last_sent_at": at,
        "created_at": at,
        "updated_at": at,
        "events": webhook.events,
    })
}

/// Returns a page of a list.
pub(super) fn page(all: Vec<Value>, page: usize, per_page: usize) -> Value {
    let skipped = page.saturating_sub(1).saturating_mul(per_page);
    let total = all.len();
    let is_more = all.len() > skipped.saturating_add(per_page);
    let data: Vec<Value> = all.into_iter().skip(skipped).take(per_page).collect();
    json!({
        "type": "list",
        "current_page": page,
        "per_page": per_page,
        "next_page": is_more.then_some(page + 1),
        "next_page_url": null,
        "prev_page": (page > 1).then(|| page - 1),
        "prev_page_url": null,
        "total_count": total,
        "total_pages": total.div_ceil(per_page.max(1)),
        "data": data,
    })
}
