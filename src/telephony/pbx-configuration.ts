import type { SrtpPolicy } from '../srtp.ts';

/** Ready configuration of common PBXs with an organization's own values; only the password has to be filled in. */

export interface TrunkValues {
  /** null when the trunk is known by its addresses alone. */
  username: string | null;
  domain: string;
  realm: string;
  /** How the gateway is reached, and where: `HOST:PORT`; over TLS with the name that its certificate is for. */
  transport: PbxTransport;
  gateway: string;
  srtp: SrtpPolicy;
}

export type PbxTransport = 'udp' | 'tls';

export interface PbxConfiguration {
  pbx: 'freeswitch' | 'asterisk' | 'kamailio';
  transport: PbxTransport;
  /** Where the text belongs on the PBX. */
  file: string;
  text: string;
}

export function pbxConfigurations(trunk: TrunkValues): PbxConfiguration[] {
  const { transport } = trunk;
  return [
    {
      pbx: 'freeswitch',
      transport,
      file: 'conf/sip_profiles/external/kallglot.xml',
      text: freeswitch(trunk),
    },
    { pbx: 'asterisk', transport, file: '/etc/asterisk/pjsip.conf', text: asterisk(trunk) },
    { pbx: 'kamailio', transport, file: '/etc/kamailio/kamailio.cfg', text: kamailio(trunk) },
  ];
}

/** Stands where the password goes, which was shown once and is not kept. */
const PASSWORD = 'PASSWORD';

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const xml = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character] as string);

/** In FreeSWITCH's words; the suite is the one that costs both ends least. */
const freeswitchSrtp = {
  off: '',
  optional: 'optional:AES_CM_128_HMAC_SHA1_80',
  required: 'mandatory:AES_CM_128_HMAC_SHA1_80',
} as const;

const readableKeys =
  'The keys of SRTP are in the SIP messages, which others can read over UDP; better use TLS.';

function freeswitch({ username, domain, realm, transport, gateway, srtp }: TrunkValues): string {
  const tls = transport === 'tls';
  const variables = `${tls ? '' : `    <!-- ${readableKeys} -->\n`}    <variables>
      <variable name="rtp_secure_media" value="${freeswitchSrtp[srtp]}" direction="outbound"/>
    </variables>
`;
  return `<!-- Load with: fs_cli -x "sofia profile external rescan".${username === null ? '' : ` Replace ${PASSWORD}.`}
     Dialplan: <action application="export" data="nolocal:sip_h_X-Kallglot-Role=customer"/>
               <action application="bridge" data="sofia/gateway/kallglot/\${kallglot_session}"/>${tls ? freeswitchTls : ''} -->
<include>
  <gateway name="kallglot">
    <param name="username" value="${xml(username ?? 'kallglot')}"/>
    <param name="password" value="${username === null ? 'unused' : PASSWORD}"/>
    <param name="realm" value="${xml(realm)}"/>
    <param name="from-domain" value="${xml(domain)}"/>
    <param name="proxy" value="${xml(gateway)}${tls ? ';transport=tls' : ''}"/>
${tls ? '    <param name="contact-params" value="transport=tls"/>\n' : ''}    <param name="register" value="false"/>
    <param name="ping" value="30"/>
    <param name="caller-id-in-from" value="true"/>
${srtp === 'off' ? '' : variables}  </gateway>
</include>
`;
}

const freeswitchTls = `
     In the profile: tls=true, tls-only=false, tls-verify-policy=out; agent.pem in tls-cert-dir is the client certificate.`;

/** A semicolon would begin a comment. */
const ini = (text: string): string => text.replaceAll(';', '\\;');

/** Of `HOST:PORT`; an IPv6 address without its brackets. */
const hostOf = (gateway: string): string => gateway.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

function asterisk({ username, domain, realm, transport, gateway, srtp }: TrunkValues): string {
  // In a dialplan too a semicolon begins a comment.
  const parameter = transport === 'tls' ? '\\;transport=tls' : '';
  const encryption = `${transport === 'tls' ? '' : `; ${readableKeys}\n`}media_encryption=sdes\n`;
  const auth = `
[kallglot-auth]
type=auth
auth_type=userpass
username=${ini(username ?? '')}
password=${PASSWORD}
realm=${ini(realm)}
`;
  return `; Load with: asterisk -rx "pjsip reload".${username === null ? '' : ` Replace ${PASSWORD}.`}
; Dialplan: same => n,Dial(PJSIP/kallglot/sip:\${KALLGLOT_SESSION}@${gateway}${parameter},60)
${transport === 'tls' ? asteriskTls : '; A transport for UDP, such as [transport-udp], is taken to be there already.\n'}
[kallglot]
type=endpoint
transport=transport-${transport}
context=from-kallglot
disallow=all
allow=ulaw,alaw
aors=kallglot
from_domain=${domain}
direct_media=no
rtp_symmetric=yes
rtp_keepalive=10
dtmf_mode=rfc4733
${srtp === 'off' ? '' : encryption}${username === null ? '' : `outbound_auth=kallglot-auth\n${auth}`}
[kallglot]
type=aor
contact=sip:${gateway}${parameter}
qualify_frequency=30

; Calls from the gateway; without this they get 401.
[kallglot]
type=identify
endpoint=kallglot
match=${hostOf(gateway)}
`;
}

const asteriskTls = `
[transport-tls]
type=transport
protocol=tls
bind=0.0.0.0:5061
method=tlsv1_2
ca_list_file=/etc/ssl/certs/ca-certificates.crt
verify_server=yes
; The client certificate, where the trunk is known by one:
; cert_file=/etc/asterisk/keys/pbx.pem
; priv_key_file=/etc/asterisk/keys/pbx-key.pem
`;

function kamailio({ username, domain, realm, transport, gateway }: TrunkValues): string {
  const send = `${transport === 'tls' ? kamailioTls : ''}route[KALLGLOT] {
    # $var(session) is the id that POST /v1/sessions gave.
    $ru = "sip:" + $var(session) + "@${domain}";
    $du = "sip:${gateway};transport=${transport}";
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

/** Stands before what is sent. */
const kamailioTls = `# Needs enable_tls=yes, a listen=tls:… line and loadmodule "tls.so"; in tls.cfg under [client:default]:
# verify_certificate = yes, require_certificate = yes, ca_list = /etc/ssl/certs/ca-certificates.crt,
# and certificate, private_key = the client certificate, where the trunk is known by one.
`;
