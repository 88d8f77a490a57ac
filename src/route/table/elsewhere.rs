//! Functions of Kamailio that sipshard does not have, by their modules: so that a message can say where
//! a function comes from.

/// Modules and their functions; those of the core have no module.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "",
        "add_tcp_alias cfg_reset cfg_select error exec force_tcp_alias forward_sctp forward_tcp \
         forward_tls rewritehostporttrans rewriteuserpass send_tcp_to sethostporttrans sethpt \
         setuserpass switch_route udp_mtu_try_proto",
    ),
    ("acc", "acc_db_request acc_request"),
    ("alias_db", "alias_db_find alias_db_lookup"),
    ("app_lua", "lua_dofile lua_dostring lua_run lua_runstring"),
    ("app_python3", "python_exec"),
    (
        "async",
        "async_ms_route async_ms_sleep async_route async_sleep async_task_data \
         async_task_group_data async_task_group_route async_task_route",
    ),
    (
        "auth",
        "auth_challenge auth_checks_in_dlg auth_checks_no_dlg auth_checks_register \
         auth_get_www_authenticate consume_credentials has_credentials proxy_challenge \
         pv_auth_check pv_proxy_authenticate pv_www_authenticate www_challenge",
    ),
    (
        "auth_db",
        "auth_check is_subscriber proxy_authenticate proxy_authorize www_authenticate \
         www_authorize",
    ),
    ("auth_xkeys", "auth_xkeys_add auth_xkeys_check"),
    (
        "avpops",
        "avp_check avp_copy avp_db_delete avp_db_load avp_db_query avp_db_store avp_delete avp_op \
         avp_print avp_printf avp_pushto avp_subst avp_subst_pv is_avp_set",
    ),
    (
        "benchmark",
        "bm_log bm_log_timer bm_register bm_start bm_start_timer",
    ),
    ("call_control", "call_control"),
    (
        "carrierroute",
        "cr_next_domain cr_nofallback_route cr_route cr_user_carrier",
    ),
    (
        "cfgutils",
        "abort check_route_exists core_hash lock pkg_status pkg_summary rand_event rand_get_prob \
         rand_reset_prob rand_set_prob route_if_exists shm_status shm_summary sleep trylock \
         unlock usleep",
    ),
    (
        "corex",
        "file_read file_write is_incoming msg_iflag_is_set msg_iflag_reset msg_iflag_set \
         send_data send_tcp send_udp sendx set_recv_socket set_recv_socket_name \
         set_source_address via_add_srvid via_add_xavp_params via_use_xavp_fields",
    ),
    ("counters", "cnt_add cnt_inc cnt_reset"),
    ("debugger", "dbg_breakpoint dbg_pv_dump dbg_sip_msg"),
    (
        "dialog",
        "dlg_bridge dlg_bye dlg_db_load_callid dlg_db_load_extra dlg_get dlg_manage dlg_refer \
         dlg_remote_profile dlg_reset_property dlg_set_property dlg_set_ruri dlg_set_timeout \
         dlg_set_timeout_by_profile get_profile_size is_in_profile is_known_dlg register_dlgcb \
         set_dlg_profile terminate_dlg unset_dlg_profile",
    ),
    ("dialplan", "dp_match dp_reload dp_replace dp_translate"),
    ("diversion", "add_diversion"),
    (
        "dmq",
        "dmq_bcast_message dmq_handle_message dmq_is_from_node dmq_process_message \
         dmq_send_message dmq_t_replicate",
    ),
    (
        "domain",
        "is_domain_local is_from_local is_uri_host_local lookup_domain",
    ),
    ("domainpolicy", "dp_apply_policy dp_can_connect"),
    (
        "drouting",
        "do_routing goes_to_gw is_from_gw next_routing use_next_gw",
    ),
    (
        "enum",
        "enum_pv_query enum_query i_enum_query is_from_user_enum",
    ),
    ("evapi", "evapi_async_relay evapi_multicast evapi_relay"),
    ("exec", "exec_avp exec_cmd exec_dset exec_msg"),
    ("group", "get_user_group is_user_in"),
    (
        "htable",
        "sht_has_name sht_has_str_value sht_iterator_end sht_iterator_next sht_iterator_rm \
         sht_iterator_setex sht_iterator_seti sht_iterator_sets sht_iterator_start sht_lock \
         sht_match_name sht_match_str_value sht_print sht_reset sht_rm sht_rm_name sht_rm_name_re \
         sht_rm_value sht_rm_value_re sht_setxi sht_setxs sht_unlock",
    ),
    ("http_async_client", "http_async_query"),
    (
        "http_client",
        "http_client_get http_client_query http_connect http_connect_raw http_get_redirect",
    ),
    ("imc", "imc_manager"),
    (
        "ipops",
        "compare_ips compare_pure_ips detailed_ip_type detailed_ipv4_type detailed_ipv6_type \
         dns_int_match_ip dns_query dns_set_local_ttl dns_sys_match_ip ip_type is_in_subnet is_ip \
         is_ip_rfc1918 is_ipv4 is_ipv6 is_ipv6_reference is_pure_ip naptr_query srv_query",
    ),
    ("jansson", "jansson_get jansson_set"),
    ("json", "json_get_field"),
    ("jsonrpcs", "jsonrpc_dispatch jsonrpc_exec"),
    ("kex", "km_append_branch resetdebug setdebug"),
    (
        "lcr",
        "defunct_gw from_any_gw from_gw inactivate_gw load_gws next_gw to_any_gw to_gw",
    ),
    ("mangler", "sdp_mangle_ip sdp_mangle_port"),
    (
        "mediaproxy",
        "end_media_session engage_media_proxy use_media_proxy",
    ),
    (
        "mohqueue",
        "mohq_count mohq_process mohq_retrieve mohq_send",
    ),
    ("mqueue", "mq_add mq_fetch mq_pv_free mq_size"),
    ("msilo", "m_dump m_store"),
    ("mtree", "mt_match"),
    ("nat_traversal", "client_nat_test fix_contact nat_keepalive"),
    (
        "nathelper",
        "add_contact_alias add_rcv_param fix_nated_contact fix_nated_register fix_nated_sdp \
         handle_ruri_alias is_rfc1918 nat_uac_test set_alias_to_pv set_contact_alias",
    ),
    ("ndb_redis", "redis_cmd"),
    ("path", "add_path add_path_received"),
    ("pdt", "pd_translate prefix2domain"),
    (
        "permissions",
        "allow_address allow_address_group allow_register allow_routing allow_source_address \
         allow_source_address_group allow_trusted allow_uri",
    ),
    ("pike", "pike_check_ip pike_check_req"),
    ("pipelimit", "pl_active pl_check pl_drop"),
    ("prefix_route", "prefix_route"),
    (
        "presence",
        "handle_publish handle_subscribe pres_auth_status pres_refresh_watchers",
    ),
    (
        "pv",
        "pv_evalx pv_var_to_xavp pv_xavi_print pv_xavp_to_var pv_xavu_print sbranch_append \
         sbranch_reset sbranch_set_ruri xavi_child_rm xavi_child_seti xavi_child_sets xavi_rm \
         xavp_slist_explode xavu_params_explode xavu_params_implode",
    ),
    (
        "pv_headers",
        "pvh_append_header pvh_apply_headers pvh_check_header pvh_collect_headers \
         pvh_modify_header pvh_remove_header pvh_remove_header_param pvh_reset_headers \
         pvh_value_exists",
    ),
    ("ratelimit", "rl_check rl_check_pipe"),
    ("regex", "pcre_match pcre_match_group"),
    (
        "registrar",
        "add_sock_hdr lookup lookup_branches lookup_to_dset reg_fetch_contacts reg_free_contacts \
         reg_send_reply registered save unregister",
    ),
    ("rls", "rls_handle_notify rls_handle_subscribe"),
    ("rr", "loose_route_mode rr_next_hop_route"),
    (
        "rtpengine",
        "block_dtmf block_media play_dtmf play_media rtpengine_answer rtpengine_delete \
         rtpengine_info rtpengine_manage rtpengine_offer rtpengine_query rtpengine_query_v \
         set_rtpengine_set silence_media start_forwarding start_recording stop_forwarding \
         stop_media stop_recording unblock_dtmf unblock_media unsilence_media",
    ),
    (
        "rtpproxy",
        "rtpproxy_answer rtpproxy_destroy rtpproxy_manage rtpproxy_offer rtpproxy_stop_stream2uac \
         rtpproxy_stop_stream2uas rtpproxy_stream2uac rtpproxy_stream2uas set_rtp_proxy_set \
         start_recording unforce_rtp_proxy",
    ),
    ("sca", "sca_call_info_update sca_handle_subscribe"),
    (
        "sdpops",
        "sdp_content sdp_get sdp_get_address_family sdp_get_line_startswith sdp_keep_codecs_by_id \
         sdp_keep_codecs_by_name sdp_print sdp_remove_codecs_by_id sdp_remove_codecs_by_name \
         sdp_remove_line_by_prefix sdp_remove_media sdp_remove_transport sdp_with_active_media \
         sdp_with_codecs_by_id sdp_with_codecs_by_name sdp_with_ice sdp_with_media \
         sdp_with_transport sdp_with_transport_like",
    ),
    (
        "secfilter",
        "secf_check_contact_hdr secf_check_from_hdr secf_check_ip secf_check_sqli_all \
         secf_check_to_hdr secf_check_ua",
    ),
    (
        "sipcapture",
        "float2int report_capture sip_capture sip_capture_forward",
    ),
    ("sipdump", "sipdump_send"),
    (
        "sipt",
        "sipt_destination sipt_forwarding sipt_has_isup_body sipt_set_bci_1 sipt_set_calling",
    ),
    ("siptrace", "hlog sip_trace sip_trace_mode"),
    (
        "siputils",
        "append_rpid_hf contact_param_decode contact_param_decode_uri contact_param_encode \
         contact_param_rm decode_contact decode_contact_header encode_contact is_e164 \
         is_rpid_user_e164 is_uri_user_e164 sip_p_charging_vector tel2sip",
    ),
    ("speeddial", "sd_lookup"),
    (
        "sqlops",
        "sql_pvquery sql_query sql_query_async sql_result_free sql_xquery",
    ),
    ("sst", "sstCheckMin"),
    ("statistics", "reset_stat update_stat"),
    (
        "tcpops",
        "tcp_close_connection tcp_conid_alive tcp_conid_state tcp_enable_closed_event \
         tcp_get_conid tcp_keepalive_disable tcp_keepalive_enable tcp_set_connection_lifetime \
         tcp_set_otcpid tcp_set_otcpid_flag",
    ),
    (
        "textops",
        "append_body_part append_body_part_hex append_time append_time_to_request filter_body \
         get_body_part get_body_part_raw is_audio_on_hold is_present_hf_pv is_present_hf_re \
         is_present_hf_re_pv regex_substring remove_body_part remove_hf_exp remove_hf_exp_pv \
         remove_hf_match remove_hf_re_pv replace_body_atonce replace_body_str replace_hdrs \
         replace_hdrs_str replace_str search_append search_append_body search_str \
         set_body_multipart",
    ),
    (
        "textopsx",
        "assign_hf_value2 bl_iterator_append bl_iterator_end bl_iterator_insert bl_iterator_next \
         bl_iterator_rm bl_iterator_start hf_iterator_append hf_iterator_end hf_iterator_insert \
         hf_iterator_next hf_iterator_prev hf_iterator_rm hf_iterator_start msg_set_buffer \
         remove_hf_value2",
    ),
    (
        "tm",
        "t_clean t_forward_nonack_sctp t_forward_nonack_tcp t_forward_nonack_tls \
         t_forward_nonack_udp t_is_retr_async_reply t_load_contacts t_next_contact_flow \
         t_next_contacts t_on_branch_failure t_relay_to_sctp t_relay_to_tcp t_relay_to_tls \
         t_save_lumps t_set_no_e2e_cancel_reason t_uac_send t_use_uac_headers",
    ),
    ("tmrec", "is_leap_year time_period_match tmrec_match"),
    (
        "tmx",
        "t_cancel_callid t_continue t_flush_xflags t_reply_callid t_reuse_branch t_suspend",
    ),
    ("topos", "tps_set_context"),
    (
        "tsilo",
        "ts_append ts_append_by_contact ts_append_to ts_store",
    ),
    (
        "uac",
        "uac_auth uac_auth_mode uac_reg_disable uac_reg_enable uac_reg_lookup uac_reg_lookup_uri \
         uac_reg_refresh uac_reg_request_to uac_reg_status uac_replace_from uac_replace_to \
         uac_req_send uac_restore_from uac_restore_to",
    ),
    (
        "uac_redirect",
        "get_redirects set_accept_filter set_deny_filter",
    ),
    ("uri_db", "check_from check_to check_uri does_uri_exist"),
    (
        "userblocklist",
        "check_blocklist check_user_allowlist check_user_blocklist",
    ),
    (
        "usrloc",
        "ul_bind_ursloc ul_delete_ucontact ul_delete_urecord ul_delete_urecord_by_ruid \
         ul_get_all_ucontacts ul_get_num_users ul_get_ucontact ul_get_urecord ul_insert_ucontact \
         ul_insert_urecord ul_lock_udomain ul_register_ulcb ul_release_urecord ul_unlock_udomain \
         ul_update_ucontact",
    ),
    ("utils", "xcap_auth_status"),
    ("xhttp", "xhttp_reply"),
    ("xhttp_rpc", "dispatch_xhttp_rpc"),
];

/// The module that has the function in Kamailio; empty for the core.
pub fn module_of(function: &str) -> Option<&'static str> {
    let has = |names: &str| names.split(' ').any(|name| name == function);
    let found = ELSEWHERE.iter().find(|(_, names)| has(names));
    found.map(|(module, _)| *module)
}

/// Whether Kamailio has such a module, which sipshard does not have.
pub fn is_elsewhere(module: &str) -> bool {
    ELSEWHERE.iter().any(|(name, _)| *name == module)
}
