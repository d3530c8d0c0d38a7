"""Where spend is heading: daily usage, carried on in many sampled futures, each rated as a bill."""
