# SPDX-License-Identifier: GPL-3.0-or-later
#
# compare_diffusers.py SAMPLER_TABLE: runs our samplers' coefficients and diffusers' schedulers side by side on a
# synthetic model, over configurations and step counts that the reference case does not have. Exit status 77 when
# diffusers is not installed. The bound is 1e-5 of the sample's norm at every evaluation.
import inspect, json, math, os, subprocess, sys, tempfile

try:
    import torch
    import diffusers
except Exception as error:
    print("SKIP: needs diffusers:", error)
    sys.exit(77)
diffusers.utils.logging.set_verbosity_error()
torch.set_grad_enabled(False)
torch.set_num_threads(1)

BOUND = 1e-5
TABLE = sys.argv[1]
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
V = dict(SD, prediction_type="v_prediction", timestep_spacing="trailing", rescale_betas_zero_snr=True)
COG = dict(SD, prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing",
           clip_sample=False, snr_shift_scale=3.0)
FLOW = dict(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
EXTRA = os.environ.get("EASEL_SAMPLER_STEPS")
STEPS = [int(s) for s in EXTRA.split(",")] if EXTRA else [1, 2, 3, 5, 13, 14, 15, 20, 50]

# class, fields, [name of ours: None is the config's own]
CASES = [
    ("DDIMScheduler", dict(SD, clip_sample=False)),
    ("DDIMScheduler", dict(SD, clip_sample=False, timestep_spacing="linspace", prediction_type="sample")),
    ("DDIMScheduler", dict(V, clip_sample=False, set_alpha_to_one=False)),
    ("DDIMScheduler", dict(clip_sample=False, beta_schedule="squaredcos_cap_v2", num_train_timesteps=500)),
    ("DDPMScheduler", dict(SD, clip_sample=False, timestep_spacing="linspace")),
    ("DDPMScheduler", dict(SD, clip_sample=False, variance_type="fixed_large")),
    ("DDPMScheduler", dict(SD, clip_sample=False, variance_type="fixed_small_log", prediction_type="sample")),
    ("DDPMScheduler", dict(V, clip_sample=False)),
    ("EulerDiscreteScheduler", dict(SD, timestep_spacing="leading", steps_offset=1)),
    ("EulerDiscreteScheduler", dict(SD, use_karras_sigmas=True, timestep_spacing="trailing")),
    ("EulerDiscreteScheduler", dict(SD, use_exponential_sigmas=True, prediction_type="v_prediction")),
    ("EulerDiscreteScheduler", dict(SD, use_karras_sigmas=True, sigma_min=0.05, sigma_max=10.0)),
    ("EulerDiscreteScheduler", dict(SD, final_sigmas_type="sigma_min", prediction_type="sample")),
    ("EulerDiscreteScheduler", dict(V)),
    ("EulerAncestralDiscreteScheduler", dict(SD, timestep_spacing="leading", prediction_type="v_prediction")),
    ("EulerAncestralDiscreteScheduler", dict(V)),
    ("HeunDiscreteScheduler", dict(SD, use_karras_sigmas=True)),
    ("HeunDiscreteScheduler", dict(SD, timestep_spacing="trailing", prediction_type="v_prediction")),
    ("HeunDiscreteScheduler", dict(SD, use_exponential_sigmas=True)),
    ("HeunDiscreteScheduler", dict(prediction_type="sample")),
    ("DPMSolverMultistepScheduler", dict(SD, timestep_spacing="leading", steps_offset=1)),
    ("DPMSolverMultistepScheduler", dict(SD, timestep_spacing="trailing", solver_type="heun")),
    ("DPMSolverMultistepScheduler", dict(V)),
    ("DPMSolverMultistepScheduler", dict(SD, prediction_type="sample", euler_at_final=True)),
    ("DPMSolverMultistepScheduler", dict(SD, lower_order_final=False, final_sigmas_type="sigma_min")),
    ("DPMSolverMultistepScheduler", dict(SD, use_exponential_sigmas=True)),
    ("DPMSolverMultistepScheduler", dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1)),
    ("DPMSolverMultistepScheduler", dict(SD, use_karras_sigmas=True, algorithm_type="sde-dpmsolver++")),
    ("DPMSolverMultistepScheduler", dict(SD, algorithm_type="sde-dpmsolver++", solver_type="heun")),
    ("DPMSolverMultistepScheduler", dict(SD, solver_order=3, use_karras_sigmas=True)),
    ("DPMSolverMultistepScheduler", dict(SD, solver_order=3, final_sigmas_type="sigma_min", lower_order_final=False)),
    ("DPMSolverMultistepScheduler", dict(FLOW, flow_shift=1.0)),
    ("DPMSolverMultistepScheduler", dict(FLOW, flow_shift=6.0)),
    ("DPMSolverMultistepScheduler", dict(FLOW, flow_shift=2.37, solver_type="heun")),
    ("DPMSolverMultistepScheduler", dict(FLOW, solver_order=3, flow_shift=8.5)),
    ("DPMSolverMultistepScheduler", dict(FLOW, algorithm_type="sde-dpmsolver++", solver_type="heun")),
    ("DPMSolverMultistepScheduler", dict(FLOW, final_sigmas_type="sigma_min")),
    ("UniPCMultistepScheduler", dict(SD, solver_order=3)),
    ("UniPCMultistepScheduler", dict(SD, solver_order=1, timestep_spacing="trailing")),
    ("UniPCMultistepScheduler", dict(V, final_sigmas_type="sigma_min")),
    ("UniPCMultistepScheduler", dict(SD, use_karras_sigmas=True, solver_type="bh1", final_sigmas_type="sigma_min")),
    ("UniPCMultistepScheduler", dict(SD, use_exponential_sigmas=True)),
    ("UniPCMultistepScheduler", dict(SD, disable_corrector=[0, 1, 3])),
    ("UniPCMultistepScheduler", dict(FLOW, flow_shift=5.0, solver_order=3)),
    ("UniPCMultistepScheduler", dict(FLOW, flow_shift=1.0, final_sigmas_type="sigma_min")),
    ("FlowMatchEulerDiscreteScheduler", dict(shift=1.0)),
    ("FlowMatchEulerDiscreteScheduler", dict(shift=2.37)),
    ("FlowMatchEulerDiscreteScheduler", dict(shift=3.0, use_karras_sigmas=True)),
    ("FlowMatchEulerDiscreteScheduler", dict(shift=3.0, use_exponential_sigmas=True)),
    ("FlowMatchHeunDiscreteScheduler", dict(shift=7.5)),
    ("CogVideoXDDIMScheduler", dict(COG)),
    ("CogVideoXDDIMScheduler", dict(clip_sample=False)),
    ("CogVideoXDDIMScheduler", dict(COG, beta_schedule="linear", set_alpha_to_one=False)),
    ("CogVideoXDPMScheduler", dict(COG)),
    ("CogVideoXDPMScheduler", dict(COG, snr_shift_scale=1.0)),
    ("CogVideoXDPMScheduler", dict(clip_sample=False)),
    ("SCMScheduler", dict()),
    ("SCMScheduler", dict(sigma_data=1.0)),
]
# Another sampler on a model's schedule: the model's class and fields, our name, the class and fields it stands for.
SWITCHES = [
    ("DPMSolverMultistepScheduler", FLOW, "flow-euler", "FlowMatchEulerDiscreteScheduler", dict(shift=3.0)),
    ("DPMSolverMultistepScheduler", FLOW, "flow-heun", "FlowMatchHeunDiscreteScheduler", dict(shift=3.0)),
    ("DPMSolverMultistepScheduler", FLOW, "flow-unipc", "UniPCMultistepScheduler", FLOW),
    ("DPMSolverMultistepScheduler", FLOW, "flow-dpm++-sde", "DPMSolverMultistepScheduler",
     dict(FLOW, algorithm_type="sde-dpmsolver++")),
    ("FlowMatchEulerDiscreteScheduler", dict(shift=3.0), "flow-dpm++", "DPMSolverMultistepScheduler", FLOW),
    ("DDIMScheduler", dict(SD, clip_sample=False, steps_offset=1), "dpm++-2m-karras", "DPMSolverMultistepScheduler",
     dict(SD, steps_offset=1, timestep_spacing="leading", use_karras_sigmas=True)),
    ("DDIMScheduler", dict(SD, steps_offset=1), "euler-a", "EulerAncestralDiscreteScheduler",
     dict(SD, steps_offset=1, timestep_spacing="leading")),
    ("EulerDiscreteScheduler", SD, "unipc", "UniPCMultistepScheduler", SD),
    ("CogVideoXDDIMScheduler", COG, "cogvideox-dpm", "CogVideoXDPMScheduler", COG),
    ("CogVideoXDDIMScheduler", dict(COG, snr_shift_scale=1.0), "cogvideox-ddim", "CogVideoXDDIMScheduler",
     dict(COG, snr_shift_scale=1.0)),
]


def model(x, t, ref):
    t = float(t) / ref
    return 0.7 * torch.tanh(x) * math.cos(t * 2.1) + 0.3 * torch.sin(1.7 * x + t)


def theirs(cls, fields, n, first):
    """The trajectory, and the sample it begins with; None where diffusers itself fails or finds no numbers."""
    scheduler = getattr(diffusers, cls)(**fields)
    g = torch.Generator().manual_seed(1301)
    noise = torch.randn(1, 4, 6, 5, generator=torch.Generator().manual_seed(1300))
    xs = []
    if cls == "SCMScheduler":
        scheduler.set_timesteps(n, max_timesteps=1.57080, intermediate_timesteps=1.3 if n == 2 else None)
        timesteps, ref = scheduler.timesteps[:-1], 1.0
        x = noise * scheduler.config.sigma_data
    else:
        scheduler.set_timesteps(n)
        timesteps, ref = scheduler.timesteps, 1000.0
        x = noise * float(getattr(scheduler, "init_noise_sigma", 1.0))
    begin = first * scheduler.order
    timesteps = timesteps[begin:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    start = x.clone()
    old = None
    for i, t in enumerate(timesteps):
        scaled = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        out = model(scaled, t, ref)
        if cls == "CogVideoXDPMScheduler":
            x, old = scheduler.step(out, old, t, timesteps[i - 1] if i > 0 else None, x, generator=g, return_dict=False)
        else:
            more = dict(generator=g) if "generator" in inspect.signature(scheduler.step).parameters else {}
            x = scheduler.step(out, t, x, return_dict=False, **more)[0]
        xs.append(x.clone())
    if not all(torch.isfinite(x).all() for x in xs):
        return None
    return start, xs, [float(t) for t in timesteps], ref


def table(cls, fields, name, n, first):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(dict(fields, _class_name=cls), f)
        f.flush()
        done = subprocess.run([TABLE, f.name, name or "-", str(n), str(first)], capture_output=True, text=True)
    return (json.loads(done.stdout), "") if done.returncode == 0 else (None, done.stderr.strip())


def ours(run, start, ref, dtype=torch.float32):
    slots = {0: start.to(dtype)}
    g = torch.Generator().manual_seed(1301)
    xs = []
    for e in run["evaluations"]:
        slots[1] = model(slots[0] * e["scale"], e["timestep"], ref)
        for _ in range(e["noise"]):
            slots[2] = torch.randn(start.shape, generator=g).to(dtype)
        for dst, terms in e["assigns"]:
            total = torch.zeros(start.shape, dtype=dtype)
            for src, c in terms:
                total = total + torch.tensor(c, dtype=dtype) * slots[src]
            slots[dst] = total
        xs.append(slots[0].clone())
    return xs


def compare(label, cls, fields, name, ref_cls, ref_fields, n, first=0):
    try:
        reference = theirs(ref_cls, ref_fields, n, first)
    except Exception as error:
        reference = None
    run, message = table(cls, fields, name, n, first)
    if reference is None:
        return "no reference" if run else "both refuse", 0.0
    if run is None:
        return f"FAIL: ours refuses: {message}", math.inf
    start, want, timesteps, ref = reference
    if ref_cls != "SCMScheduler":
        begin = torch.randn(1, 4, 6, 5, generator=torch.Generator().manual_seed(1300)) * run["init_sigma"]
        if not float((begin - start).norm() / start.norm()) <= 1e-6:
            return "FAIL: another starting noise", math.inf
    got_t = [e["timestep"] for e in run["evaluations"]]
    # numpy's arange may give one step more than asked (timestep -1); ours stops where it should.
    if len(timesteps) == len(got_t) + 1 and timesteps[-1] == -1:
        timesteps, want = timesteps[:-1], want[:-1]
    if len(got_t) != len(timesteps) or not all(abs(a - b) <= 1e-6 * max(1, abs(b)) for a, b in zip(got_t, timesteps)):
        return f"FAIL: timesteps {got_t[:4]}… and {timesteps[:4]}…", math.inf
    got = ours(run, start, ref)
    worst, bound, before = 0.0, BOUND, float(start.norm())
    for a, exact, b in zip(got, ours(run, start, ref, torch.float64), want):
        size = float(b.double().norm())
        # A step from a huge sigma to a small one (zero terminal SNR: 4096) subtracts large floats in the reference,
        # whose own rounding then shows; ours has that difference in its coefficients. And a run that multiplies
        # rounding errors cannot be compared closer than a few times what they do to the very same coefficients.
        bound = max(bound, 2.0**-22 * before / size, 8 * float((a.double() - exact).norm()) / size)
        error = float((a.double() - b.double()).norm()) / size / bound
        worst = error if not error <= worst else worst
        before = size
    return ("ok" if worst <= 1 else "FAIL"), worst


failed = total = 0
worst_of_all = 0.0


def report(label, result):
    global failed, total, worst_of_all
    verdict, error = result
    total += 1
    if verdict.startswith("FAIL"):
        failed += 1
    elif verdict == "ok":
        worst_of_all = max(worst_of_all, error)
    if verdict != "ok":
        print(f"{label}: {verdict} {error:.3g}")


for cls, fields in CASES:
    for n in STEPS:
        report(f"{cls} {fields} {n} steps", compare("", cls, fields, None, cls, fields, n))
    for n, first in ((10, 4), (20, 17)):
        if cls != "SCMScheduler":
            report(f"{cls} {fields} {n} steps from {first}", compare("", cls, fields, None, cls, fields, n, first))
for cls, fields, name, ref_cls, ref_fields in SWITCHES:
    for n in STEPS:
        report(f"{name} on {cls} {n} steps", compare("", cls, fields, name, ref_cls, ref_fields, n))
print(f"{total} runs compared with diffusers {diffusers.__version__}, {failed} failed, worst error {worst_of_all:.3g} of its bound")
sys.exit(1 if failed else 0)
