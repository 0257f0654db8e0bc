"""The reference model's making: the generated world, vocabulary transfer, fine-tuning."""
