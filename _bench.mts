import { fork } from 'node:child_process';
import { createPipelineLinks } from './src/pipeline/pipeline-links.ts';
import { startEmbeddedPipeline } from './src/pipeline/embedded-pipeline.ts';
import { AudioRing } from './src/audio/ring.ts';
import { systemClock } from './src/clock.ts';
import { newSessionId } from './src/ids.ts';
import { createLog } from './src/telemetry/log.ts';
const S='x'.repeat(20);
if (process.argv[2]==='server'){ const p=await startEmbeddedPipeline({behaviour:'echo',delayMs:Number(process.argv[3]??0),tokenSecret:S}); process.send!(p.url); process.on('message',()=>{const c=process.cpuUsage();process.send!(c)}); process.on('disconnect',()=>process.exit()); }
else {
const N=Number(process.argv[2]??200), legsPer=Number(process.argv[3]??1);
const child=fork(import.meta.filename,['server','0']);
const url=await new Promise<string>(r=>child.once('message',r as never));
const links=createPipelineLinks({url,tokenSecret:S,chunkMs:100,extensions:false,clock:systemClock,log:createLog('warn')});
const all=[];
for(let i=0;i<N;i++){const l=links.create({sessionId:newSessionId(),mode:'bidirectional_translation',sourceLanguage:'en',targetLanguage:null,onEvent:e=>console.log(e)});await l.open(new AbortController().signal);
 const legs=[];for(const role of (['customer','agent'] as const).slice(0,legsPer)){const leg={inbound:AudioRing.create(8192),outbound:AudioRing.create(8192)};l.attach(role,leg);legs.push(leg)}all.push({l,legs});}
// media in a worker thread
const {Worker}=await import('node:worker_threads');
const code=`const {workerData}=require('node:worker_threads');import('${process.cwd()}/src/audio/ring.ts').then(({AudioRing})=>{
const legs=workerData.map(([a,b])=>({i:new AudioRing(a),o:new AudioRing(b)}));const a=new Uint8Array(800);for(let i=0;i<800;i++)a[i]=Math.random()*0x60;const out=new Uint8Array(800);let g=0;
setInterval(()=>{g=(g+1)%10;for(let k=g;k<legs.length;k+=10){legs[k].i.write(a);legs[k].o.applyFlush();legs[k].o.read(out)}},10)});`;
const w=new Worker(code,{eval:true,workerData:all.flatMap(x=>x.legs.map(l=>[l.inbound.buffer,l.outbound.buffer]))});
const cpu=()=>new Promise<NodeJS.CpuUsage>(r=>{child.once('message',r as never);child.send('cpu')});
await new Promise(r=>setTimeout(r,3000));
const {performance:p}=globalThis;
for(let k=0;k<3;k++){
const u0=performance.eventLoopUtilization(),c0=process.threadCpuUsage(),s0=await cpu(),t0=performance.now();
await new Promise(r=>setTimeout(r,6000));
const sec=(performance.now()-t0)/1000,c=process.threadCpuUsage(c0),s1=await cpu();
console.log('main thread us/link/s',((c.user+c.system)/N/sec).toFixed(1),'user',(c.user/N/sec).toFixed(1),'server process us/link/s',((s1.user+s1.system-s0.user-s0.system)/N/sec).toFixed(1));
}
console.log(all[0].l.stats(), 'rss MB',process.memoryUsage().rss/1e6);
await links.close();w.terminate();child.disconnect();
}
