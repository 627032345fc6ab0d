import cProfile, pstats, sys, threading, time, os
import perf.judges as J
from rmeval.models.judge.chat import ChatJudge
import asyncio
n=int(sys.argv[1]); conc=int(sys.argv[2]); where=sys.argv[3]
with J.serving(0.0) as a:
    asked=J.requests(n)
    if where=="none":
        for _ in range(int(sys.argv[4])):
            t=os.times(); w=time.perf_counter(); J.rmeval_judge(a,asked,conc); u=os.times()
            print("cpu ms/call", 1e3*(u.user-t.user+u.system-t.system)/n, "per s", n/(time.perf_counter()-w))
            asking=J.judge_protocol(J.OPTIONS.judge); judge=J.Judge(ChatJudge(a,None,J.OPTIONS,asking.sampling),asking)
            bodies=[judge.backend.body(judge.asked(one)) for one in asked]
            t=os.times(); w=time.perf_counter(); J.bare_httpx2(a,bodies,conc); u=os.times()
            print("   bare ", 1e3*(u.user-t.user+u.system-t.system)/n, "per s", n/(time.perf_counter()-w))
        sys.exit()
    J.rmeval_judge(a,asked[:100],conc)
    if where=="bare":
        asking=J.judge_protocol(J.OPTIONS.judge); judge=J.Judge(ChatJudge(a,None,J.OPTIONS,asking.sampling),asking)
        bodies=[judge.backend.body(judge.asked(one)) for one in asked]
        p=cProfile.Profile(); p.enable(); J.bare_httpx2(a,bodies,conc); p.disable()
    if where=="main":
        p=cProfile.Profile(); p.enable(); J.rmeval_judge(a,asked,conc); p.disable()
    if where=="loop":
        p=cProfile.Profile()
        orig=asyncio.BaseEventLoop.run_forever
        def rf(self):
            if threading.current_thread().name=="rmeval-transport":
                p.enable()
                try: return orig(self)
                finally: p.disable()
            return orig(self)
        asyncio.BaseEventLoop.run_forever=rf
        J.rmeval_judge(a,asked,conc)
        import gc; gc.collect(); time.sleep(.5)
    pstats.Stats(p).sort_stats("tottime").print_stats(28)
