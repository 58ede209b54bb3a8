import { audioInput, readMessage } from './src/pipeline/kallglot-dialect.ts';
import { OutputDecoder } from './src/pipeline/output-decoder.ts';
import { LinkAudio } from './src/pipeline/link-audio.ts';
import { AudioRing } from './src/audio/ring.ts';
const a=Buffer.alloc(800);for(let i=0;i<800;i++)a[i]=Math.random()*0x60;
const msg=Buffer.from(JSON.stringify({type:'audio.output',sequence:12345,speaker:'customer',audio:{encoding:'mulaw',sample_rate_hz:8000,payload:a.toString('base64')}}));
const d=new OutputDecoder();
function t(name:string,n:number,f:()=>void){for(let i=0;i<n/10;i++)f();let best=1e9;for(let k=0;k<5;k++){const c=process.cpuUsage();for(let i=0;i<n;i++)f();const u=process.cpuUsage(c);best=Math.min(best,(u.user+u.system)/n)}console.log(name,best.toFixed(3),'us')}
t('audioInput',100000,()=>audioInput('customer',{sequence:5,timestampMs:1790000000000,audio:a}));
t('readMessage',100000,()=>readMessage(msg,false));
t('readMessage+decode',100000,()=>{const m=readMessage(msg,false);if(m.type==='audio')d.decode(m)});
t('JSON.parse whole',100000,()=>JSON.parse(msg.toString()));
const counters={outputDroppedMs:0,trimmedMs:0} as never;
const links=Array.from({length:200},()=>{const l=new LinkAudio({mode:'bidirectional_translation',chunkMs:100,extensions:false,counters});l.attach('customer',{inbound:AudioRing.create(8192),outbound:AudioRing.create(8192)});l.connect({bufferedBytes:0,send(){}});return l});
t('idle tick of 200 links',2000,()=>{for(const l of links)l.tick(5)});
