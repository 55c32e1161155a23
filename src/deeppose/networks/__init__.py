"""ψ(x; θ): the networks that a stage of the cascade can have."""
