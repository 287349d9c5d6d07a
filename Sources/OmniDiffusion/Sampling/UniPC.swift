import Foundation

/// UniPC (arXiv:2302.04867), a multistep predictor with a corrector, along a rectified flow.
///
/// Reference: diffusers `UniPCMultistepScheduler` with `use_flow_sigmas`, in f32 as there.
struct UniPC: NoiseScheduler {
    let config: Config

    /// `scheduler_config.json`; absent fields have diffusers' defaults.
    struct Config: Decodable, Sendable {
        var num_train_timesteps: Int?
        var solver_order: Int?
        var solver_type: String?
        var prediction_type: String?
        var predict_x0: Bool?
        var lower_order_final: Bool?
        var disable_corrector: [Int]?
        var use_flow_sigmas: Bool?
        var flow_shift: Float?
        var final_sigmas_type: String?
        var shift_terminal: Float?
        var thresholding: Bool?
        var use_karras_sigmas: Bool?
        var use_exponential_sigmas: Bool?
        var use_beta_sigmas: Bool?
        var use_dynamic_shifting: Bool?

        var order: Int { solver_order ?? 2 }
    }

    /// Throws for variants that are not built.
    init(_ config: Config) throws {
        let variants = [
            ("thresholding", config.thresholding), ("use_karras_sigmas", config.use_karras_sigmas),
            ("use_beta_sigmas", config.use_beta_sigmas),
            ("use_exponential_sigmas", config.use_exponential_sigmas), ("use_dynamic_shifting", config.use_dynamic_shifting),
        ]
        if let variant = variants.first(where: { $0.1 == true }) { throw DiffusionError.unsupported("the UniPC scheduler's \(variant.0)") }
        guard config.use_flow_sigmas == true, config.prediction_type == "flow_prediction", config.predict_x0 != false else {
            throw DiffusionError.unsupported("a UniPC scheduler that does not follow a flow")
        }
        guard (1...3).contains(config.order), ["bh1", "bh2"].contains(config.solver_type ?? "bh2"),
            ["zero", "sigma_min"].contains(config.final_sigmas_type ?? "zero"), config.shift_terminal == nil
        else {
            throw DiffusionError.unsupported(
                "a UniPC scheduler of order \(config.order), \(config.solver_type ?? "bh2"), ending at \(config.final_sigmas_type ?? "zero")"
            )
        }
        self.config = config
    }

    func schedule(steps: Int, _ spacing: NoiseSpacing) throws -> any NoiseSchedule {
        switch spacing {
        case .own(let shift): return schedule(steps: steps, shift: shift)
        case .even, .evenShifted: throw DiffusionError.unsupported("a UniPC scheduler with noise levels that a pipeline chooses")
        }
    }

    private func schedule(steps: Int, shift: Float?) -> Schedule {
        let train = Double(config.num_train_timesteps ?? 1000)
        let shift = Double(shift ?? config.flow_shift ?? 1)
        let last = 1 / train
        var sigmas = (0..<steps).map { index -> Double in
            let sigma = 1 + Double(index) * ((last - 1) / Double(steps))
            return shift * sigma / (1 + (shift - 1) * sigma)
        }
        // At noise alone the logarithms below would be infinite.
        if let first = sigmas.first, abs(first - 1) < 1e-6 { sigmas[0] -= 1e-6 }
        let times = sigmas.map { Float(Int($0 * train)) }
        let end = config.final_sigmas_type == "sigma_min" ? sigmas.last ?? 0 : 0
        return Schedule(sigmas: (sigmas + [end]).map { Float($0) }, times: times, config: config)
    }

    struct Schedule: NoiseSchedule {
        let sigmas: [Float]
        let times: [Float]
        let config: Config

        func timestep(_ index: Int) -> Float { times[index] }
        func solver() -> any NoiseSolver { Solver(schedule: self) }
    }
}

extension UniPC {
    struct Solver: NoiseSolver {
        let schedule: Schedule
        /// What the model saw in the latents at earlier steps, the last one first, with the place of its noise level.
        private var seen: [(clean: [Float], index: Int)] = []
        private var last: (latents: [Float], order: Int)?

        init(schedule: Schedule) { self.schedule = schedule }

        mutating func step(_ latents: [Float], velocity: [Float], _ index: Int) -> [Float] {
            let config = schedule.config
            let clean = schedule.clean(latents, velocity: velocity, index)
            var latents = latents
            if let last, !(config.disable_corrector ?? []).contains(index - 1) {
                latents = update(last.latents, to: index, order: last.order, corrected: clean)
            }
            seen = Array(([(clean, index)] + seen).prefix(config.order))
            let possible = config.lower_order_final == false ? config.order : min(config.order, schedule.steps - index)
            let order = min(possible, seen.count)
            last = (latents, order)
            return update(latents, to: index + 1, order: order, corrected: nil)
        }

        /// Takes `latents` from the level of the newest `seen` to level `target`.
        ///
        /// - Parameter corrected: what the model saw at `target`, once it is known.
        private func update(_ latents: [Float], to target: Int, order: Int, corrected: [Float]?) -> [Float] {
            let newest = seen[0]
            let (sigma, from) = (schedule.sigmas[target], schedule.sigmas[newest.index])
            let h = logRatio(target) - logRatio(newest.index)
            let shares = (1..<order).map { (logRatio(seen[$0].index) - logRatio(newest.index)) / h }
            let weights = Self.weights(
                shares, order: order, h: -h, isSecondKind: schedule.config.solver_type != "bh1", corrects: corrected != nil)
            let factor = expm1(-h)
            let alpha = 1 - sigma
            let scale = schedule.config.solver_type == "bh1" ? -h : factor
            return latents.indices.map { place in
                let base = newest.clean[place]
                var change: Float = 0
                for (index, share) in shares.enumerated() { change += weights[index] * ((seen[index + 1].clean[place] - base) / share) }
                if let corrected { change += weights[order - 1] * (corrected[place] - base) }
                let straight = sigma / from * latents[place] - alpha * factor * base
                return shares.isEmpty && corrected == nil ? straight : straight - alpha * scale * change
            }
        }

        /// The logarithm of signal to noise.
        private func logRatio(_ index: Int) -> Float {
            let sigma = schedule.sigmas[index]
            return log(1 - sigma) - log(sigma)
        }

        /// How much each difference of predictions counts: the solution of the order's conditions, or 1/2 where there is one.
        private static func weights(_ shares: [Float], order: Int, h: Float, isSecondKind: Bool, corrects: Bool) -> [Float] {
            if corrects ? order == 1 : order <= 2 { return [0.5] }
            let points = shares + [1]
            let scale = isSecondKind ? expm1(h) : h
            var (phi, factorial) = (expm1(h) / h - 1, Float(1))
            var (rows, sums): ([[Float]], [Float]) = ([], [])
            for power in 0..<order {
                rows.append(points.map { pow($0, Float(power)) })
                sums.append(phi * factorial / scale)
                factorial *= Float(power + 2)
                phi = phi / h - 1 / factorial
            }
            let size = corrects ? order : order - 1
            return solve(rows.prefix(size).map { Array($0.prefix(size)) }, Array(sums.prefix(size)))
        }

        /// The solution of `rows · x = sums`, by elimination with the largest pivot.
        private static func solve(_ rows: [[Float]], _ sums: [Float]) -> [Float] {
            var table = zip(rows, sums).map { $0 + [$1] }
            let size = sums.count
            for column in 0..<size {
                let pivot = (column..<size).max { abs(table[$0][column]) < abs(table[$1][column]) } ?? column
                table.swapAt(column, pivot)
                for row in column + 1..<size {
                    let ratio = table[row][column] / table[column][column]
                    for place in column...size { table[row][place] -= ratio * table[column][place] }
                }
            }
            var result = [Float](repeating: 0, count: size)
            for row in (0..<size).reversed() {
                let known = (row + 1..<size).reduce(Float(0)) { $0 + table[row][$1] * result[$1] }
                result[row] = (table[row][size] - known) / table[row][row]
            }
            return result
        }
    }
}
