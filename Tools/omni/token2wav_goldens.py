"""What transformers makes of the tiny Qwen2.5-Omni's codes: every stage from voice to wave, and what its streaming costs in likeness.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu transformers==4.57.6 safetensors
    VENV/bin/python Tools/omni/token2wav_goldens.py Tests/Fixtures/omni/qwen2.5-omni Tests/Fixtures/omni/token2wav.goldens.safetensors

transformers 4.57 reads `rotary_embed.inv_freq` from the file (5.23 computes it anew, off by 1e-2 in the result). One thread and fixed seeds:
the same versions write the same file.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5OmniToken2WavConfig, Qwen2_5OmniToken2WavModel

SEED = 11
CODES, LONG = 41, 150
# As Qwen's own fork streams: frames that are new, that were before, that come after, and that the vocoder sees to either side.
NEW, PAST, FUTURE, OVERLAP = 72, 48, 24, 20


def load(folder):
    config = Qwen2_5OmniToken2WavConfig(**json.loads((folder / "config.json").read_text())["token2wav_config"])
    model = Qwen2_5OmniToken2WavModel(config)
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    state = {}
    for shard in sorted({shard for name, shard in index.items() if name.startswith("token2wav.")}):
        state.update({name.removeprefix("token2wav."): tensor for name, tensor in load_file(folder / shard).items() if name.startswith("token2wav.")})
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    return model.eval(), torch.load(folder / "spk_dict.pt", weights_only=True)


class Flow:
    """The reference's `sample` with the solver, the guidance and the noise of our choice."""

    def __init__(self, model, voice):
        self.dit, self.vocoder, self.voice = model.code2wav_dit_model, model.code2wav_bigvgan_model, voice

    def velocity(self, x, codes, time, branches):
        more = {"apply_cfg": True} if branches == 2 else {"apply_cfg": False}
        return self.dit(hidden_states=x, condition_vector=self.voice["ref_mel"], speaker_embedding=self.voice["cond"].unsqueeze(1).repeat(1, x.shape[1], 1),
                        quantized_code=codes, time_step=torch.tensor(time), **more)

    def guided(self, x, codes, time, guidance):
        if guidance == 0:
            return self.velocity(x, codes, time, 1)
        known, none = self.velocity(x, codes, time, 2).chunk(2)
        return known + (known - none) * guidance

    def times(self, count):
        even = torch.linspace(0, 1, count)
        return (even - (torch.cos(torch.pi / 2 * even) - 1 + even)).tolist()

    def mel(self, codes, noise, solver="rk4", steps=10, guidance=0.5):
        x = noise
        points = self.times(steps if solver == "rk4" else steps + 1)
        for start, end in zip(points, points[1:]):
            h = end - start
            k1 = self.guided(x, codes, start, guidance)
            if solver == "euler":
                x = x + h * k1
                continue
            k2 = self.guided(x + h * k1 / 3, codes, start + h / 3, guidance)
            k3 = self.guided(x + h * (k2 - k1 / 3), codes, start + h * 2 / 3, guidance)
            k4 = self.guided(x + h * (k1 - k2 + k3), codes, end, guidance)
            x = x + (k1 + 3 * (k2 + k3) + k4) * h / 8
        return x

    def wave(self, mel):
        return self.vocoder(mel.permute(0, 2, 1))

    def chunks(self, codes, noise, **how):
        """Mel and wave as they are streamed: windows begin at multiples of a block, noise goes by place."""
        frames, mels, waves = codes.shape[1] * 2, [], []
        for start in range(0, frames, NEW):
            first, last = max(0, start - PAST), min(frames, start + NEW + FUTURE)
            window = self.mel(codes[:, first // 2:last // 2], noise[:, first:last], **how)
            mels.append(window[:, start - first:start - first + NEW][:, :frames - start])
        mel = torch.cat(mels, dim=1)
        for start in range(0, frames, NEW):
            first, end = max(0, start - OVERLAP), min(frames, start + NEW)
            last = min(frames, end + OVERLAP)
            waves.append(self.wave(mel[:, first:last])[(start - first) * 240:(end - first) * 240])
        return mel, torch.cat(waves)


def distance(a, b):
    return float((a - b).norm() / b.norm())


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    model, voices = load(folder)
    encoder = model.code2wav_dit_model.input_embed.spk_encoder
    out = {f"encoder.{name}": encoder(voice["ref_mel"]) for name, voice in voices.items()}
    out["encoder.none"] = encoder(torch.zeros_like(voices["Chelsie"]["ref_mel"]))
    flow = Flow(model, voices["Chelsie"])
    count = model.config.dit_config.num_embeds
    long = torch.randint(0, count - 1, (1, LONG), generator=torch.Generator().manual_seed(3))
    codes = long[:, :CODES]
    torch.manual_seed(SEED)
    noise = torch.randn([1, 30000, 80])
    short = noise[:, :2 * CODES]
    out["noise"] = noise[:, :3]
    x = torch.randn([1, 2 * CODES, 80], generator=torch.Generator().manual_seed(4))
    out["velocity.x"], out["velocity.out"] = x, flow.velocity(x, codes, 0.357, 2)
    mel = flow.mel(codes, short)
    torch.manual_seed(SEED)
    own = model.code2wav_dit_model.sample(voices["Chelsie"]["cond"], voices["Chelsie"]["ref_mel"], codes).permute(0, 2, 1)
    assert distance(mel, own) < 1e-5, distance(mel, own)
    out["mel.rk4"] = own
    out["mel.rk4.plain"] = flow.mel(codes, short, guidance=0, steps=4)
    out["mel.euler"] = flow.mel(codes, short, solver="euler", steps=5, guidance=0)
    torch.manual_seed(SEED)
    out["wave"] = model(codes, voices["Chelsie"]["cond"], voices["Chelsie"]["ref_mel"])
    # A voice's own spectrogram, which is nearer to speech than what a random model makes, and edges of the decibels.
    sound = torch.cat([voices["Ethan"]["ref_mel"][:, :30], torch.linspace(-20, 4, 8 * 80).reshape(1, 8, 80)], dim=1)
    out["vocoder.mel"], out["vocoder.wave"] = sound, flow.wave(sound)
    spread = {}
    for name, how in {"rk4": {}, "euler": {"solver": "euler", "steps": 5, "guidance": 0}}.items():
        whole = flow.mel(long, noise[:, :2 * LONG], **how)
        mel, wave = flow.chunks(long, noise, **how)
        spread[f"chunks.{name}"] = torch.tensor([distance(mel, whole), distance(wave, flow.wave(whole))])
    out.update(spread)
    out["codes"] = long.to(torch.float32)
    save_file({name: tensor.detach().to(torch.float32).contiguous() for name, tensor in out.items()}, target)
    print({name: [round(value, 5) for value in tensor.tolist()] for name, tensor in spread.items()})
    print(f"mel {own.min():.2f}…{own.max():.2f}, deviation {own.std():.2f}; wave deviation {out['wave'].std():.3f}; {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
