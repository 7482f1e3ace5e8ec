//! What every [`Hypervisor`] does, whichever stands behind the trait: each case runs against the fake,
//! and against the real libvirt that `LVHOST_TEST_LIBVIRT_URI` names. So the fake can't drift from what
//! it stands for.
#![cfg(feature = "libvirt")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it is a test")]
mod devices;
mod domains;
mod place;
mod pools;
mod records;
mod transfers;
mod unseen;
mod volumes;

/// Makes of each case two tests: `fake::NAME` and `real::NAME`.
macro_rules! conformance {
    ($($module:ident: $($case:ident),+;)+) => {
        mod fake {
            $($(
                #[tokio::test]
                async fn $case() {
                    crate::$module::$case(&crate::place::Place::fake()).await;
                }
            )+)+
        }

        mod real {
            $($(
                #[tokio::test]
                async fn $case() {
                    if let Some(place) = crate::place::Place::real().await {
                        crate::$module::$case(&place).await;
                    }
                }
            )+)+
        }
    };
}

conformance! {
    pools:
        facts_say_what_is_there,
        pools_and_networks_are_sorted_and_those_missing_name_the_others,
        what_is_not_started_is_told_apart_from_what_is_missing,
        devices_of_the_host_are_looked_up,
        every_call_on_a_volume_tells_of_a_missing_pool;
    volumes:
        a_volume_is_made_seen_and_deleted,
        a_name_that_is_taken_is_refused,
        names_that_no_volume_can_have_are_refused,
        a_clone_has_the_bytes_of_its_original,
        what_is_taken_for_something_else_is_not_worked_on,
        the_head_of_a_volume_is_what_it_begins_with,
        what_is_taken_for_a_folder_can_be_deleted,
        an_overlay_tells_what_it_stands_on,
        a_volume_grows_and_never_shrinks,
        a_full_pool_takes_nothing,
        the_volume_of_a_running_guest_can_be_deleted;
    unseen:
        a_file_is_found_while_the_hypervisor_is_at_work_on_the_pool,
        a_file_that_was_put_into_a_pool_is_found_by_every_call,
        a_file_that_was_put_into_a_pool_is_not_made_anew,
        what_has_no_word_is_seen_and_deleted,
        a_volume_whose_file_is_gone_is_missing_for_every_call,
        a_volume_whose_file_is_gone_can_be_deleted,
        what_is_nowhere_stays_missing;
    transfers:
        what_is_uploaded_is_downloaded,
        holes_stay_holes,
        uploads_of_another_length_fail,
        an_upload_that_is_dropped_leaves_a_volume_that_can_be_used,
        a_volume_that_is_not_there_takes_and_gives_nothing,
        a_header_decides_the_capacity;
    domains:
        a_domain_lives_and_goes,
        events_tell_of_a_domains_life,
        a_name_or_uuid_that_is_taken_is_refused,
        names_that_no_domain_can_have_are_refused,
        a_domain_that_is_gone_is_no_obstacle,
        a_domain_does_not_start_without_what_it_names,
        a_paused_guest_is_resumed,
        a_list_of_domains_tells_what_they_are_made_of,
        domains_are_listed_by_name_with_their_state;
    records:
        a_record_is_read_back_changed_and_kept_through_an_update,
        a_record_of_another_build_is_not_written,
        domains_of_others_have_no_record_and_get_none,
        what_xml_cannot_hold_is_refused;
    devices:
        a_guest_that_is_off_has_no_console_keys_or_screen,
        a_guest_that_is_gone_is_named,
        keys_are_counted_and_screens_may_be_missing,
        a_console_ends_with_its_guest,
        guests_have_no_addresses_before_they_have_booted;
}
