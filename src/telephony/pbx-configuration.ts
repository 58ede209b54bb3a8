/** Ready configuration of common PBXs with an organization's own values; only the password has to be filled in. */

export interface TrunkValues {
  /** null when the trunk is known by its addresses alone. */
  username: string | null;
  domain: string;
  realm: string;
  /** `HOST:PORT` of the gateway, reached over UDP. */
  gateway: string;
}

export interface PbxConfiguration {
  pbx: 'freeswitch' | 'asterisk' | 'kamailio';
  /** Where the text belongs on the PBX. */
  file: string;
  text: string;
}

export const pbxConfigurations = (trunk: TrunkValues): PbxConfiguration[] => [
  { pbx: 'freeswitch', file: 'conf/sip_profiles/external/kallglot.xml', text: freeswitch(trunk) },
  { pbx: 'asterisk', file: '/etc/asterisk/pjsip.conf', text: asterisk(trunk) },
  { pbx: 'kamailio', file: '/etc/kamailio/kamailio.cfg', text: kamailio(trunk) },
];

/** Stands where the password goes, which was shown once and is not kept. */
const PASSWORD = 'PASSWORD';

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const xml = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character] as string);

function freeswitch({ username, domain, realm, gateway }: TrunkValues): string {
  return `<!-- Load with: fs_cli -x "sofia profile external rescan".${username === null ? '' : ` Replace ${PASSWORD}.`}
     Dialplan: <action application="export" data="nolocal:sip_h_X-Kallglot-Role=customer"/>
               <action application="bridge" data="sofia/gateway/kallglot/\${kallglot_session}"/> -->
<include>
  <gateway name="kallglot">
    <param name="username" value="${xml(username ?? 'kallglot')}"/>
    <param name="password" value="${username === null ? 'unused' : PASSWORD}"/>
    <param name="realm" value="${xml(realm)}"/>
    <param name="from-domain" value="${xml(domain)}"/>
    <param name="proxy" value="${xml(gateway)}"/>
    <param name="register" value="false"/>
    <param name="ping" value="30"/>
    <param name="caller-id-in-from" value="true"/>
  </gateway>
</include>
`;
}

/** A semicolon would begin a comment. */
const ini = (text: string): string => text.replaceAll(';', '\\;');

function asterisk({ username, domain, realm, gateway }: TrunkValues): string {
  const auth = `
[kallglot-auth]
type=auth
auth_type=userpass
username=${ini(username ?? '')}
password=${PASSWORD}
realm=${ini(realm)}
`;
  return `; Load with: asterisk -rx "pjsip reload".${username === null ? '' : ` Replace ${PASSWORD}.`}
; Dialplan: same => n,Dial(PJSIP/kallglot/sip:\${KALLGLOT_SESSION}@${gateway},60)
; A transport for UDP, such as [transport-udp], is taken to be there already.

[kallglot]
type=endpoint
transport=transport-udp
context=from-kallglot
disallow=all
allow=ulaw,alaw
aors=kallglot
from_domain=${domain}
direct_media=no
rtp_symmetric=yes
rtp_keepalive=10
dtmf_mode=rfc4733
${username === null ? '' : `outbound_auth=kallglot-auth\n${auth}`}
[kallglot]
type=aor
contact=sip:${gateway}
qualify_frequency=30
`;
}

function kamailio({ username, domain, realm, gateway }: TrunkValues): string {
  const send = `route[KALLGLOT] {
    # $var(session) is the id that POST /v1/sessions gave.
    $ru = "sip:" + $var(session) + "@${domain}";
    $du = "sip:${gateway};transport=udp";
`;
  if (username === null) return `${send}    if (!t_relay()) sl_reply_error();\n    exit;\n}\n`;
  return `# Add to the modules and routes that are there, and replace ${PASSWORD}.
loadmodule "dialog.so"
loadmodule "uac.so"
# The answer to a challenge is a new request of the same dialog, with a CSeq that is one higher.
modparam("dialog", "track_cseq_updates", 1)
modparam("uac", "restore_mode", "none")
modparam("uac", "auth_username_avp", "$avp(kallglot_user)")
modparam("uac", "auth_password_avp", "$avp(kallglot_password)")
modparam("uac", "auth_realm_avp", "$avp(kallglot_realm)")

${send}    dlg_manage();
    t_on_failure("KALLGLOT_AUTH");
    if (!t_relay()) sl_reply_error();
    exit;
}

failure_route[KALLGLOT_AUTH] {
    if (t_is_canceled()) exit;
    if (t_check_status("401")) {
        $avp(kallglot_user) = "${username}";
        $avp(kallglot_password) = "${PASSWORD}";
        $avp(kallglot_realm) = "${realm}";
        if (uac_auth()) t_relay();
    }
}
`;
}
