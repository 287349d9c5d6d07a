"""What the scripts of this folder share: fixed random numbers, and a record of what diffusers computes with them."""

import numpy as np
import torch


def generator(seed):
    return torch.Generator("cpu").manual_seed(seed)


def randomize(module, generator, embeddings=("embed_tokens",), tables=(), last=1.0):
    """Weights of a module, at scales that keep activations near one.

    Norms lie around one. Parameters whose names hold one of `embeddings` are as wide as their states, those of `tables` are added to
    them. `last` scales the decoder's last convolution, which keeps a picture mostly inside its range."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("gamma") or (parameter.ndim == 1 and name.endswith("weight")):
                parameter.copy_(1 + 0.1 * noise)
            elif parameter.ndim == 1:
                parameter.copy_(0.1 * noise)
            elif any(table in name for table in tables):
                parameter.copy_(0.3 * noise)
            elif any(embedding in name for embedding in embeddings):
                parameter.copy_(noise)
            else:
                parameter.copy_(noise * (parameter[0].numel() ** -0.5) * (last if "decoder.conv_out" in name else 1))
    return module.eval()


class Recorder:
    """Keeps named tensors, contiguous f32."""

    def __init__(self):
        self.tensors = {}

    def keep(self, name, tensor):
        self.tensors[name] = tensor.detach().to(torch.float32).contiguous().clone()

    def hook(self, module, name):
        def run(_, args, output):
            if name + ".out" not in self.tensors:
                self.keep(name + ".in", args[0])
                self.keep(name + ".out", output)
        return module.register_forward_hook(run)

    def picture(self, name, pipeline, **arguments):
        """Runs a pipeline of pictures: the latents after each step as `NAME.steps`, what it draws as `NAME.image`."""
        steps = []

        def step(_, index, timestep, values):
            steps.append(values["latents"].clone())
            return values

        image = pipeline(callback_on_step_end=step, output_type="np", **arguments).images
        self.keep(f"{name}.steps", torch.stack(steps))
        self.keep(f"{name}.image", torch.from_numpy(np.asarray(image)))

    def source(self, height, width):
        """A random picture to edit as `source`, its lower right part as `mask`; `[1, channels, height, width]`."""
        source = torch.rand((1, 3, height, width), generator=generator(12))
        self.keep("source", source)
        mask = torch.zeros((1, 1, height, width))
        mask[:, :, height // 4:, width // 3:] = 1
        self.keep("mask", mask)
        return source, mask

    def schedules(self, scheduler, calculate_shift, sigmas):
        """Noise levels and times of a few numbers of steps and patches; `sigmas` gives a pipeline's own for a number of steps."""
        config = scheduler.config
        for steps, length in [(1, 64), (4, 60), (9, 1024), (50, 4096)]:
            mu = calculate_shift(length, config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift)
            scheduler.set_timesteps(steps, sigmas=sigmas(steps), mu=mu)
            if not scheduler.sigmas.isfinite().all():
                # Of a single step: diffusers divides 0 by 0 where the scheduler has a `shift_terminal`.
                continue
            self.keep(f"sigmas.{steps}.{length}", scheduler.sigmas)
            self.keep(f"timesteps.{steps}.{length}", scheduler.timesteps)
